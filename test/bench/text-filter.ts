/**
 * `node test/bench/text-filter.ts [--records N --json FILE]`: what the filters of messages cost and what they spare, on blocks of the week
 * of `query-data.ts`: bytes of the index and time of building a block with and without them, and of how many blocks a search reads the payload,
 * beside those that hold the text.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type BlockIndex, compressBlockSync, decodeIndex, decodePayload, type RawBlock } from '../../model/block.ts';
import { BlockBuilder } from '../../model/block-builder.ts';
import { MESSAGE_END, MESSAGE_START, type RecordTable, ROW_WORDS } from '../../model/records.ts';
import { readBlock } from '../../otlp/read.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { contentMatcher } from '../../storage/match.ts';
import { PHRASE, week } from './query-data.ts';
import { type Cell, printTable } from './table.ts';

const { values: options } = parseArgs({
  options: { records: { type: 'string', default: '30000' }, json: { type: 'string' } },
});
const START = 1_768_478_400_000_000_000n;
const WEEK = 604_800_000_000_000n;
const ROUNDS = 9;

const slices = [...week(Number(options.records), START, START + WEEK)];
const records = slices.reduce((sum, slice) => sum + slice.records, 0);
const builder = new BlockBuilder(4096);
const withTexts = { blocks: [] as RawBlock[], micros: Number.POSITIVE_INFINITY };
const withoutTexts = { blocks: [] as RawBlock[], micros: Number.POSITIVE_INFINITY };
for (let round = 0; round < ROUNDS; round++) {
  measure(withTexts, (table) => table);
  measure(withoutTexts, withoutMessages);
}
const blocks = withTexts.blocks.map((block) => ({
  block,
  index: decodeIndex(block.index),
  messages: messagesOf(block),
}));

const bytes = blocks.reduce((sum, { index }) => sum + index.texts.length, 0);
const compressed = blocks.reduce((sum, { block, index }) => sum + block.index.length - withoutFilter(block, index), 0);
const cost = {
  blocks: blocks.length,
  without_filter: blocks.filter(({ index }) => index.texts.length === 0).length,
  bytes_per_event: bytes / records,
  stored_bytes_per_event: compressed / records,
  micros_per_event: withTexts.micros - withoutTexts.micros,
};
printTable('Cost', Object.keys(cost), [Object.values(cost)]);

const values = slices.flatMap((slice) => slice.values);
const questions: [name: string, texts: readonly string[]][] = [
  ['a phrase of one log in a thousand', [PHRASE, 'chain of upstream']],
  ['a value of one log', values.filter((_, i) => i % 5 === 0).slice(0, 20)],
  [
    'a part of a value of one log',
    values
      .filter((_, i) => i % 5 === 0)
      .slice(0, 20)
      .map((value) => value.slice(2, -2)),
  ],
  [
    'words that are nowhere',
    ['segmentation fault', 'out of memory', 'deadlock detected', 'permission denied', 'disk full'],
  ],
  ['a word that is nowhere', ['kernel', 'mutex', 'oomkill', 'yaml']],
  ['an order that is nowhere', ['order-9918273', 'invoice 55512', 'user-999999999']],
];
const rows = questions.map(([name, texts]): Cell[] => {
  let hold = 0;
  let read = 0;
  for (const text of texts) {
    const matcher = contentMatcher({ q: text })!;
    for (const { index, messages } of blocks) {
      const holds = messages.some((message) => message.includes(text.toLowerCase()));
      const mayHold = matcher.mayHold(index);
      if (holds && !mayHold) throw new Error(`${text} is in a block of which the filter denies it`);
      hold += Number(holds);
      read += Number(mayHold);
    }
  }
  const share = (count: number) => `${((100 * count) / texts.length / blocks.length).toFixed(1)}%`;
  return [name, texts.length, share(hold), share(read)];
});
printTable('Blocks whose payload a search reads', ['search', 'texts', 'hold it', 'are read'], rows);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ cost, searches: rows }, null, 2)}\n`);

/** One round: the blocks, and microseconds a record of the best round, each block built of bytes that were just walked, as when they come in. */
function measure(best: { blocks: RawBlock[]; micros: number }, of: (table: RecordTable) => RecordTable): void {
  let ms = 0;
  best.blocks = slices.map(({ requests }) => {
    const tables = requests.map(({ signal, body }) => of(indexRequest(signal, body).records));
    const began = performance.now();
    for (const table of tables) {
      builder.begin(table, START);
      for (let row = 0; row < table.length; row++) builder.add(row, null);
    }
    const raw = builder.build('default', 0, '2026-01-15');
    ms += performance.now() - began;
    const block = compressBlockSync(raw);
    builder.clear();
    return block;
  });
  best.micros = Math.min(best.micros, (ms * 1000) / records);
}

function withoutMessages(table: RecordTable): RecordTable {
  const copy: RecordTable = Object.assign(Object.create(Object.getPrototypeOf(table)), table);
  copy.words = table.words.slice();
  for (let at = 0; at < copy.length * ROW_WORDS; at += ROW_WORDS) {
    copy.words[at + MESSAGE_START] = copy.words[at + MESSAGE_END] = 0;
  }
  return copy;
}

function messagesOf(block: RawBlock): string[] {
  const read = readBlock(decodeIndex(block.index), decodePayload(block.payload));
  return Array.from({ length: read.count }, (_, i) => read.event(i, () => undefined).message.toLowerCase());
}

/** Bytes of the same index without its filter. */
function withoutFilter(block: RawBlock, { texts }: BlockIndex): number {
  const raw = zstdDecompressSync(block.index);
  return zstdCompressSync(raw.subarray(0, raw.length - texts.length), {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  }).length;
}
