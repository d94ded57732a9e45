import { expect, test } from 'vitest';
import type { BlockRecord } from './block.ts';
import { RecordTable, ROW_WORDS, TIME_LOW } from './records.ts';

const RECORD: BlockRecord = {
  time: 2n ** 64n - 2n,
  hash: 2n ** 63n + 5n,
  type: 4,
  signal: 1,
  severity: 17,
  part: 3,
  component: { type: 'agent', id: 'a' },
  correlation: 'c',
  operation: null,
  trace: 'd'.repeat(32),
  template: null,
  envelope: {
    resourceStart: 0,
    resourceEnd: 1,
    resourceSchemaUrl: '',
    scopeStart: 1,
    scopeEnd: 2,
    scopeSchemaUrl: '',
    nodeId: null,
  },
  body: Buffer.from('a record'),
  start: 2,
  end: 8,
  receivedAt: 0n,
};

test('a record goes into a table and comes out as it was', () => {
  expect(RecordTable.of(RECORD).record(0)).toMatchObject(RECORD);
});

test('a table grows with its rows and keeps what they hold', () => {
  const table = new RecordTable(0, Buffer.alloc(0), 1);
  for (let i = 0; i < 100; i++) table.words[table.push() + TIME_LOW] = 1;
  for (let i = 0; i < 100; i++) table.words[i * ROW_WORDS + TIME_LOW]! += i;
  expect([table.length, table.words[99 * ROW_WORDS + TIME_LOW]]).toEqual([100, 100]);
  expect(table.floats.buffer).toBe(table.words.buffer);
});

test('rows that are left out leave the others in their order', () => {
  const table = new RecordTable(0, Buffer.alloc(0), 4);
  for (let i = 0; i < 10; i++) {
    const at = table.push();
    table.words[at + TIME_LOW] = i;
  }
  table.filter((at) => table.words[at + TIME_LOW]! % 3 === 0);
  expect(Array.from({ length: table.length }, (_, row) => table.words[row * ROW_WORDS + TIME_LOW])).toEqual([
    0, 3, 6, 9,
  ]);
});
