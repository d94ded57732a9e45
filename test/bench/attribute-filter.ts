/**
 * `node test/bench/attribute-filter.ts [--records N --json FILE]`: what the filters of attributes cost and what they spare, on blocks of the week of
 * `query-data.ts`: bytes an event and CPU time of building a block with and without them (pairs
 * are hashed by the walk before), and of how many blocks a search for a pair reads the
 * payload that is nowhere in them.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { attributeProbe, mayHoldAttributes } from '../../model/attribute-filter.ts';
import type { RawBlock } from '../../model/block.ts';
import { BlockBuilder } from '../../model/block-builder.ts';
import { NO_PAIRS } from '../../model/pair-lists.ts';
import { PAIRS, type RecordTable, ROW_WORDS } from '../../model/records.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { week } from './query-data.ts';
import { printTable } from './table.ts';

const { values: options } = parseArgs({
  options: { records: { type: 'string', default: '30000' }, json: { type: 'string' } },
});
const START = 1_768_478_400_000_000_000n;
const WEEK = 604_800_000_000_000n;
const ROUNDS = 9;
const ASKED = 200;

const slices = [...week(Number(options.records), START, START + WEEK)];
const records = slices.reduce((sum, slice) => sum + slice.records, 0);
const builder = new BlockBuilder(4096);
const micros = { marked: Number.POSITIVE_INFINITY, plain: Number.POSITIVE_INFINITY };
let filters: Uint8Array[] = [];
for (let round = 0; round < ROUNDS; round++) {
  filters = measure('marked').map((block) => block.filters.attributes);
  measure('plain');
}

const asked = Array.from({ length: ASKED }, (_, i) => attributeProbe([['enduser.id', `user-${1e6 + i}`]])!);
const taken = asked.reduce(
  (sum, probe) => sum + filters.filter((filter) => mayHoldAttributes(filter, probe)).length,
  0,
);
const cost = {
  blocks: filters.length,
  without_filter: filters.filter(({ length }) => length === 0).length,
  bytes_per_event: filters.reduce((sum, { length }) => sum + length, 0) / records,
  micros_per_event: micros.marked - micros.plain,
  read_in_vain: taken / ASKED / filters.length,
};
printTable('Filters of attributes', Object.keys(cost), [Object.values(cost)]);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(cost, null, 2)}\n`);

/** One round, each block built of bytes that were just walked, as when they come in. */
function measure(name: keyof typeof micros): RawBlock[] {
  let spent = 0;
  const blocks = slices.map(({ requests }) => {
    const tables = requests.map(({ signal, body }) => indexRequest(signal, body).records);
    if (name === 'plain') tables.forEach(withoutPairs);
    const began = process.threadCpuUsage();
    for (const table of tables) {
      builder.begin(table, START);
      for (let row = 0; row < table.length; row++) builder.add(row, null);
    }
    const raw = builder.build('default', 0, '2026-01-15');
    const { user, system } = process.threadCpuUsage(began);
    spent += user + system;
    builder.clear();
    return raw;
  });
  micros[name] = Math.min(micros[name], spent / records);
  return blocks;
}

function withoutPairs(table: RecordTable): void {
  table.envelopePairs.fill(NO_PAIRS);
  for (let at = 0; at < table.length * ROW_WORDS; at += ROW_WORDS) table.words[at + PAIRS] = NO_PAIRS;
}
