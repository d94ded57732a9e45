import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_RECORDS_MAX,
  type BlockRecord,
  blockKey,
  decodeIndex,
  decodePayload,
  keysOf,
  partitionDay,
  type SourceEnvelope,
} from './block.ts';
import { buildBlock } from './block-builder.ts';
import { mayHoldText, textProbe } from './text-filter.ts';
import { NANOS_PER_DAY } from './time.ts';

const UINT64_MAX = 2n ** 64n - 1n;
const NOON = 1_768_478_400_000_000_000n;

describe('a block', () => {
  it('holds every record as it was given, in the order given', () => {
    fc.assert(
      fc.property(fc.array(recordShape, { minLength: 1, maxLength: 60 }), (records) => {
        const block = buildBlock('tenant', 7, '2026-01-15', records);
        const { header, columns, count } = decodeIndex(block.index);
        const payload = decodePayload(block.payload);
        expect(count).toBe(records.length);
        expect(header).toMatchObject({ id: block.id, tenant: 'tenant', shard: 7, day: '2026-01-15' });
        const receivedAt = records.reduce((min, one) => (one.receivedAt < min ? one.receivedAt : min), UINT64_MAX);
        expect(header.receivedAt).toBe(receivedAt);
        for (const [i, record] of records.entries()) {
          const text = (values: readonly string[], code: number) => (code === 0 ? null : values[code - 1]);
          expect({
            time: columns.time[i],
            hash: columns.hash[i],
            type: columns.type[i],
            signal: columns.signal[i],
            severity: columns.severity[i],
            part: columns.part[i],
            component: header.components[columns.component[i]!],
            correlation: text(header.correlations, columns.correlation[i]!),
            operation: text(header.operations, columns.operation[i]!),
            trace: text(header.traces, columns.trace[i]!),
            template: text(header.templates, columns.template[i]!),
          }).toEqual({
            time: record.time,
            hash: record.hash,
            type: record.type,
            signal: record.signal,
            severity: record.severity,
            part: record.part,
            component: record.component,
            correlation: record.correlation,
            operation: record.operation,
            trace: record.trace,
            template: record.template,
          });
          const bytes = (start: number, length: number) => Buffer.from(payload.subarray(start, start + length));
          const sent = (start: number, end: number) => Buffer.from(record.body.subarray(start, end));
          expect(bytes(columns.start[i]!, columns.length[i]!)).toEqual(sent(record.start, record.end));
          const { envelope } = record;
          const kept = header.envelopes[columns.envelope[i]!]!;
          expect(bytes(kept.resourceStart, kept.resourceLength)).toEqual(
            sent(envelope.resourceStart, envelope.resourceEnd),
          );
          expect(bytes(kept.scopeStart, kept.scopeLength)).toEqual(sent(envelope.scopeStart, envelope.scopeEnd));
          expect(kept).toMatchObject({ nodeId: envelope.nodeId, scopeSchemaUrl: envelope.scopeSchemaUrl });
          // Microseconds, and at most 71 minutes behind the first.
          const behind = header.receivedAt + BigInt(columns.received[i]!) * 1000n;
          expect(record.receivedAt - behind).toBeLessThan(1000n);
        }
      }),
    );
  });

  it('is read as it was written before its header had sections', () => {
    const { index } = buildBlock('t', 3, '2026-01-15', [record({ correlation: 'c' }), record({ operation: 'o' })]);
    const { header, columns, count } = decodeIndex(index);
    const raw = new Uint8Array(zstdDecompressSync(index));
    const lists = Object.fromEntries(
      (['components', 'correlations', 'operations', 'traces', 'templates', 'envelopes'] as const).map((list) => [
        list,
        header[list],
      ]),
    );
    const json = Buffer.from(
      JSON.stringify({ ...header, ...lists }, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    );
    const old = Buffer.concat([raw.subarray(0, 16 + count * 47), json]);
    old.write('ADB1', 0);
    old.writeUInt32LE(json.length, 8);
    const read = decodeIndex(zstdCompressSync(old));
    expect(read.header).toEqual({ ...header, ...lists });
    expect(read.columns).toEqual(columns);
  });

  it('is read as it was written before it had a filter of its texts, which then says nothing', () => {
    const { index } = buildBlock('t', 3, '2026-01-15', [record({ messageStart: 0, messageEnd: 8 })]);
    const { header, columns, count, texts } = decodeIndex(index);
    const probe = textProbe(['refused'])!;
    expect(mayHoldText(texts, probe)).toBe(false);
    const raw = new Uint8Array(zstdDecompressSync(index));
    const old = Buffer.from(raw.subarray(0, raw.length - texts.length));
    old.writeUInt32LE(0, 12);
    const read = decodeIndex(zstdCompressSync(old));
    expect([{ ...read.header }, read.columns, read.count]).toEqual([{ ...header }, columns, count]);
    expect(read.texts).toHaveLength(0);
    expect(mayHoldText(read.texts, probe)).toBe(true);
  });

  it('has the range of its times, and an id that begins with the newest', () => {
    const block = buildBlock('t', 0, '2026-01-15', [record({ time: UINT64_MAX }), record({ time: 0n })]);
    expect(block).toMatchObject({ timeMin: 0n, timeMax: UINT64_MAX, count: 2 });
    expect(block.id).toMatch(/^f{16}[0-9a-f]{16}$/);
    expect(decodeIndex(block.index).header).toMatchObject({ timeMin: 0n, timeMax: UINT64_MAX });
  });

  it('has the same id when it is made again, another when its records are others', () => {
    const records = [record({ hash: 1n }), record({ hash: 2n })];
    const { id } = buildBlock('t', 0, '2026-01-15', records);
    expect(
      buildBlock(
        't',
        0,
        '2026-01-15',
        records.map((one) => ({ ...one, receivedAt: NOON * 2n })),
      ).id,
    ).toBe(id);
    expect(buildBlock('t', 0, '2026-01-15', [records[0]!]).id).not.toBe(id);
    expect(buildBlock('t', 0, '2026-01-15', [records[0]!, record({ hash: 3n })]).id).not.toBe(id);
  });

  it('is found by one key for each thing that its records name', () => {
    const records = [
      record({ component: { type: 'a', id: 'b' }, correlation: 'c', trace: 'd'.repeat(32) }),
      record({ component: { type: 'a', id: 'b' }, correlation: 'c', operation: 'c' }),
    ];
    const { keys, index } = buildBlock('t', 0, '2026-01-15', records);
    const expected = [
      blockKey('component', 'a', 'b'),
      blockKey('correlation', 'c'),
      blockKey('operation', 'c'),
      blockKey('trace', 'd'.repeat(32)),
    ];
    expect(keys.toSorted()).toEqual(expected.toSorted());
    const { header, columns } = decodeIndex(index);
    expect(keysOf(header, columns).toSorted()).toEqual(expected.toSorted());
  });

  it('is found by another key for each component of which a record is an error', () => {
    const of = (id: string, severity: number) => record({ component: { type: 'a', id }, severity });
    const { keys } = buildBlock('t', 0, '2026-01-15', [
      of('fine', 16),
      of('failing', 9),
      of('failing', 17),
      of('ending', 24),
    ]);
    const has = (id: string) => keys.includes(blockKey('errors', 'a', id));
    expect(['fine', 'failing', 'ending'].map(has)).toEqual([false, true, true]);
  });

  it('tells components apart however their names are spelled', () => {
    const names: [string, string][] = [
      ['a', 'b\0c'],
      ['a\0b', 'c'],
      ['a b', 'c'],
      ['a', ' bc'],
      ['1 a', 'b'],
      ['', '1 ab'],
    ];
    const records = names.map(([type, id]) => record({ component: { type, id } }));
    const { header, columns } = decodeIndex(buildBlock('t', 0, '2026-01-15', records).index);
    expect([...columns.component].map((code) => header.components[code])).toEqual(
      names.map(([type, id]) => ({ type, id })),
    );
  });

  it('writes a resource and scope once, however many requests bring them', () => {
    const body = Buffer.from('RESOURCE scope record');
    const copies = Array.from({ length: 100 }, () => ({
      ...record({ body: Buffer.from(body) }),
      envelope: { ...ENVELOPE },
    }));
    const { header } = decodeIndex(buildBlock('t', 0, '2026-01-15', copies).index);
    expect(header.envelopes).toHaveLength(1);
    const other = { ...copies[0]!, envelope: { ...ENVELOPE, nodeId: 'another' } };
    expect(decodeIndex(buildBlock('t', 0, '2026-01-15', [...copies, other]).index).header.envelopes).toHaveLength(2);
  });

  it('writes the bytes of a span once for its events too', () => {
    const body = Buffer.alloc(10_000, 'x');
    const parts = Array.from({ length: 50 }, (_, part) => record({ body, start: 100, end: 9000, part }));
    expect(decodePayload(buildBlock('t', 0, '2026-01-15', parts).payload).length).toBeLessThan(10_000);
  });

  it(`holds up to ${BLOCK_RECORDS_MAX} records, all different`, () => {
    const many = Array.from({ length: BLOCK_RECORDS_MAX }, (_, i) =>
      record({
        component: { type: 't', id: `${i}` },
        correlation: `${i}`,
        trace: `${i}`,
        operation: `${i}`,
        template: `${i}`,
      }),
    );
    const { header, columns } = decodeIndex(buildBlock('t', 0, '2026-01-15', many).index);
    expect(header.traces[columns.trace[BLOCK_RECORDS_MAX - 1]! - 1]).toBe(`${BLOCK_RECORDS_MAX - 1}`);
    expect(() => buildBlock('t', 0, '2026-01-15', [...many, record({})])).toThrow('a block holds');
    expect(() => buildBlock('t', 0, '2026-01-15', [])).toThrow('a block holds');
  });

  it('of other bytes is refused', () => {
    expect(() => decodeIndex(Buffer.from('no zstd'))).toThrow();
    expect(() => decodeIndex(zstdCompressSync(Buffer.alloc(0)))).toThrow('not a block index');
    expect(() => decodeIndex(zstdCompressSync(Buffer.alloc(64, 1)))).toThrow('not a block index');
    const { index } = buildBlock('t', 0, '2026-01-15', [record({})]);
    expect(() => decodeIndex(index.subarray(0, index.length - 20))).toThrow();
  });
});

describe('F13 the partition of a record', () => {
  const week = 7n * NANOS_PER_DAY;

  it.each([
    ['its own day while that is retained', NOON - NANOS_PER_DAY, '2026-01-14'],
    ['its own day up to an hour ahead', NOON + 3_599_000_000_000n, '2026-01-15'],
    ['the day of arrival when it is older', NOON - week, '2026-01-15'],
    ['the day of arrival when it is from the future', NOON + NANOS_PER_DAY, '2026-01-15'],
    ['the day of arrival when it has no time', 0n, '2026-01-15'],
    ['the day of arrival at the end of time', UINT64_MAX, '2026-01-15'],
  ])('is %s', (_, time, day) => expect(partitionDay(time, NOON, week)).toBe(day));
});

const ENVELOPE: SourceEnvelope = {
  resourceStart: 0,
  resourceEnd: 8,
  resourceSchemaUrl: '',
  scopeStart: 9,
  scopeEnd: 14,
  scopeSchemaUrl: '',
  nodeId: null,
};

function record(fields: Partial<BlockRecord>): BlockRecord {
  return {
    time: NOON,
    hash: 1n,
    type: 0,
    signal: 0,
    severity: 9,
    part: 0,
    component: { type: 'service', id: 'checkout' },
    correlation: null,
    operation: null,
    trace: null,
    template: null,
    envelope: ENVELOPE,
    body: Buffer.from('RESOURCE scope record'),
    start: 15,
    end: 21,
    receivedAt: NOON,
    ...fields,
  };
}

const uint64 = fc.bigInt({ min: 0n, max: UINT64_MAX });
const text = fc.oneof(
  fc.constantFrom('', 'a', 'b'),
  fc.string({ unit: 'binary', maxLength: 5 }),
  fc.constant('\ud800'),
);
const optional = fc.option(text);
/** Start and end of a range of the body. */
const cut = fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

const recordShape: fc.Arbitrary<BlockRecord> = fc
  .record({
    time: uint64,
    hash: uint64,
    type: fc.nat(5),
    signal: fc.nat(2),
    severity: fc.nat(24),
    part: fc.nat(0xffff_ffff),
    component: fc.record({ type: text, id: text }),
    correlation: optional,
    operation: optional,
    trace: optional,
    template: optional,
    body: fc.uint8Array({ minLength: 30, maxLength: 60 }),
    receivedAt: fc.bigInt({ min: NOON, max: NOON + 4_000_000_000_000n }),
    nodeId: optional,
    scopeSchemaUrl: text,
  })
  .chain(({ nodeId, scopeSchemaUrl, ...fields }) =>
    fc.tuple(cut, cut, cut).map(([resource, scope, own]) => ({
      ...fields,
      start: own[0],
      end: own[1],
      envelope: {
        resourceStart: resource[0],
        resourceEnd: resource[1],
        resourceSchemaUrl: '',
        scopeStart: scope[0],
        scopeEnd: scope[1],
        scopeSchemaUrl,
        nodeId,
      },
    })),
  );
