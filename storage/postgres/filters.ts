/**
 * The filters of blocks, asked within the server: a search through a day fetches the index of what may hold what is wanted, and nothing of the
 * others. Fetched and asked here they would come as hexadecimal, 8 kB for the attributes of one block.
 *
 * The conditions say in SQL what `mayHoldText` and `mayHoldAttributes` say of the same bytes (model/text-filter.ts, model/attribute-filter.ts).
 */
import { type AttributeProbe, PROBES, stepOf } from '../../model/attribute-filter.ts';
import { NUMBERS, type TextProbe, WORDS } from '../../model/text-filter.ts';
import type { FilterProbe } from '../contract.ts';

/** For a select from `asked`, of which each row is a block with its filters. */
export interface FilterCondition {
  /** What `asked` has to have beside the columns of `block`: each filter read once, not for each bit that is looked at. */
  columns: string;
  condition: string;
  /** Of the parameters from `first` on. */
  values: unknown[];
}

/** @param first number of the first parameter that is free  @returns null where no filter is asked */
export function filterCondition({ texts, attributes }: FilterProbe, first: number): FilterCondition | null {
  const parts = [
    ...(texts === undefined ? [] : [{ column: 'texts', sql: TEXTS, values: textValues(texts) }]),
    ...(attributes === undefined
      ? []
      : [{ column: 'attributes', sql: ATTRIBUTES, values: attributeValues(attributes) }]),
  ];
  if (parts.length === 0) return null;
  let next = first;
  const conditions = parts.map(({ sql, values }) => sql(...values.map(() => `$${next++}`)));
  return {
    columns: parts.map(({ column }) => `substring(${column} FROM 1) AS asked_${column}`).join(', '),
    condition: conditions.join(' AND '),
    values: parts.flatMap(({ values }) => values),
  };
}

function textValues({ hashes }: TextProbe): unknown[] {
  return [hashes[WORDS], hashes[NUMBERS]];
}

/** Version, logarithms of the bytes of both maps or 255, maps. Each CASE keeps what is behind it from bytes that are not there. */
const TEXTS = (words = '', numbers = '') => `CASE
  WHEN coalesce(octet_length(asked_texts), 0) < 3 THEN true
  WHEN get_byte(asked_texts, 0) <> 1 THEN true
  ELSE ${holdsGrams(words, 1, '24')}
    AND ${holdsGrams(numbers, 2, '24 + CASE get_byte(asked_texts, 1) WHEN 255 THEN 0 ELSE 8 << get_byte(asked_texts, 1) END')}
END`;

function holdsGrams(hashes: string, logAt: number, firstBit: string): string {
  const log = `get_byte(asked_texts, ${logAt})`;
  return `CASE ${log} WHEN 255 THEN true ELSE NOT EXISTS (
    SELECT FROM unnest(${hashes}::integer[]) AS hash
    WHERE get_bit(asked_texts, ${firstBit} + (hash & ((8 << ${log}) - 1))) = 0) END`;
}

function attributeValues(probe: AttributeProbe): unknown[] {
  const rows = probe.flatMap((hashes, pair) => hashes.map((hash) => ({ pair, hash })));
  return [
    rows.map(({ pair }) => pair),
    // More bits than any map has, and few enough that a sum of them is an integer.
    rows.map(({ hash }) => hash & 0xff_ffff),
    rows.map(({ hash }) => stepOf(hash)),
    probe.length,
  ];
}

/** Version, map. Of each pair one of its hashes has to be there. */
const ATTRIBUTES = (pairs = '', positions = '', steps = '', count = '') => `CASE
  WHEN coalesce(octet_length(asked_attributes), 0) < 2 THEN true
  WHEN get_byte(asked_attributes, 0) <> 1 THEN true
  ELSE (
    SELECT count(DISTINCT pair)
    FROM unnest(${pairs}::integer[], ${positions}::integer[], ${steps}::integer[]) AS hash (pair, position, step)
    WHERE ${Array.from({ length: PROBES }, (_, i) => isSet(`hash.position + ${i} * step`)).join(' AND ')}
  ) = ${count}::integer
END`;

function isSet(position: string): string {
  return `get_bit(asked_attributes, 8 + ((${position}) & (8 * (octet_length(asked_attributes) - 1) - 1))) = 1`;
}
