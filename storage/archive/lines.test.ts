import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildBlock, decodeIndex, decodePayload, type Signal } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import { eventId } from '../../model/ids.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import { readBlock } from '../../otlp/read.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { LENGTH, VARINT } from '../../otlp/wire.ts';
import { ExportLogsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import { ExportMetricsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.js';
import { ExportTraceServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import { NOON } from '../../test/support/blocks.ts';
import { fromLines, type RestorableBlock, toLines } from './lines.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const text = (value: string) => ({ value: { case: 'stringValue' as const, value } });
const int = (value: bigint) => ({ value: { case: 'intValue' as const, value } });

/** A block of the records of several requests, as the receiver makes it. */
function blockOf(...requests: [Signal, Uint8Array][]) {
  const records = requests.flatMap(([signal, body]) => indexRequest(signal, body).records);
  const block = buildBlock(
    'default',
    0,
    '2026-01-15',
    records.map((record) => ({ ...record, receivedAt: NOON, template: null })),
  );
  return { index: decodeIndex(block.index), payload: decodePayload(block.payload), bytes: block.index };
}

function eventsOf({ index, payload }: { index: ReturnType<typeof decodeIndex>; payload: Uint8Array }): DebugEvent[] {
  const records = readBlock(index, payload);
  return Array.from({ length: records.count }, (_, i) => records.event(i, () => undefined));
}

/** Archives and reads back, and checks what must hold for every block. */
function thereAndBack(block: ReturnType<typeof blockOf>): RestorableBlock & { back: Uint8Array } {
  const archived = toLines(block.index, block.payload);
  const index = decodeIndex(archived.index);
  const back = fromLines(index, archived, archived.payload.length);
  expect(Buffer.compare(back, archived.payload)).toBe(0);
  expect(eventsOf({ index, payload: back })).toEqual(eventsOf(block));
  return { ...archived, back };
}

const log = (fields: object = {}) => ({ timeUnixNano: NOON, body: text('hello'), ...fields });
const logs = (...logRecords: object[]) =>
  toBinary(
    ExportLogsServiceRequestSchema,
    create(ExportLogsServiceRequestSchema, {
      resourceLogs: [
        {
          resource: { attributes: [{ key: 'service.name', value: text('shop') }] },
          schemaUrl: 'https://opentelemetry.io/schemas/1.30.0',
          scopeLogs: [{ scope: { name: 'scope', version: '1' }, schemaUrl: 'https://scope.test', logRecords }],
        },
      ],
    }),
  );
const spans = (name: string) =>
  toBinary(
    ExportTraceServiceRequestSchema,
    create(ExportTraceServiceRequestSchema, {
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: text('shop') }] },
          scopeSpans: [
            {
              spans: [
                {
                  traceId: new Uint8Array(16).fill(1),
                  spanId: new Uint8Array(8).fill(2),
                  name,
                  startTimeUnixNano: NOON,
                  endTimeUnixNano: NOON + 5n,
                  attributes: [{ key: 'large', value: int(-9223372036854775808n) }],
                  events: [
                    {
                      name: 'exception',
                      timeUnixNano: NOON + 1n,
                      attributes: [{ key: 'exception.type', value: text('E') }],
                    },
                    { name: 'later', timeUnixNano: NOON + 2n },
                  ],
                  links: [{ traceId: new Uint8Array(16).fill(3), spanId: new Uint8Array(8).fill(4) }],
                },
              ],
            },
          ],
        },
      ],
    }),
  );
const points = (...values: number[]) =>
  toBinary(
    ExportMetricsServiceRequestSchema,
    create(ExportMetricsServiceRequestSchema, {
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                {
                  name: 'load',
                  data: {
                    case: 'gauge',
                    value: {
                      dataPoints: values.map((value, i) => ({
                        timeUnixNano: NOON + BigInt(i),
                        value: { case: 'asDouble' as const, value },
                      })),
                    },
                  },
                },
              ],
            },
          ],
        },
      ],
    }),
  );

/** A log record of raw protobuf fields after its time. */
function rawLog(write: (writer: BinaryWriter) => void): Uint8Array {
  const record = new BinaryWriter().tag(1, 1).fixed64(NOON);
  write(record);
  return requestOf(record.finish());
}

/** @param resource its bytes, if there is one */
function requestOf(record: Uint8Array, resource?: Uint8Array): Uint8Array {
  const ofScope = new BinaryWriter().tag(2, LENGTH).bytes(record).finish();
  const ofResource = new BinaryWriter();
  if (resource !== undefined) ofResource.tag(1, LENGTH).bytes(resource);
  return new BinaryWriter().tag(1, LENGTH).bytes(ofResource.tag(2, LENGTH).bytes(ofScope).finish()).finish();
}

describe('lines', () => {
  it('give back the very bytes of records that are encoded by the rules', () => {
    const block = blockOf(
      ['log', logs(log(), log({ severityNumber: 17 }))],
      ['span', spans('a')],
      ['metric', points(1, 2)],
    );
    const { exceptions, back, index } = thereAndBack(block);
    expect(exceptions).toHaveLength(0);
    expect(Buffer.compare(back, block.payload)).toBe(0);
    expect(Buffer.compare(index, block.bytes)).toBe(0);
  });

  it('are requests that any reader of OTLP files takes, with records of the same ids', () => {
    const block = blockOf(
      ['log', logs(log(), log({ body: text('second') }))],
      ['span', spans('a')],
      ['log', logs(log({ body: text('third') }))],
      ['metric', points(0.5, Number.NaN)],
    );
    const ids: string[] = [];
    const lines = new TextDecoder().decode(thereAndBack(block).lines).split('\n');
    expect(lines.pop()).toBe('');
    for (const line of lines) {
      const [key, ...others] = Object.keys(JSON.parse(line));
      expect(others).toEqual([]);
      const signal = ({ resourceLogs: 'log', resourceSpans: 'span', resourceMetrics: 'metric' } as const)[key!]!;
      const { records } = indexRequest(signal, jsonToProtobuf(signal, encode(line)));
      ids.push(...records.map(({ time, hash }) => eventId(time, hash)));
    }
    expect(ids).toEqual(eventsOf(block).map(({ id }) => id));
    expect(lines).toHaveLength(4);
  });

  it('are the same in every version: an archive outlives who wrote it', () => {
    const { lines, payload } = thereAndBack(
      blockOf(['log', logs(log({ attributes: [{ key: 'n', value: int(7n) }] }))]),
    );
    expect(new TextDecoder().decode(lines)).toBe(
      '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},' +
        '"scopeLogs":[{"scope":{"name":"scope","version":"1"},"logRecords":[{"timeUnixNano":"1768478400000000000",' +
        '"body":{"stringValue":"hello"},"attributes":[{"key":"n","value":{"intValue":"7"}}]}],' +
        '"schemaUrl":"https://scope.test"}],"schemaUrl":"https://opentelemetry.io/schemas/1.30.0"}]}\n',
    );
    expect(Buffer.from(payload).toString('hex')).toBe(
      '0a160a0c736572766963652e6e616d6512060a0473686f700a0573636f7065120131090080f328bce58a182a070a0568656c6c6f32070a016e12021807',
    );
  });
});

describe('events read as before, with nothing kept beside,', () => {
  it.each<[string, Uint8Array]>([
    [
      'where zeros are written out',
      rawLog((w) => w.tag(2, VARINT).int32(0).tag(7, VARINT).uint32(0).tag(8, 5).fixed32(0)),
    ],
    ['where fields come out of order', rawLog((w) => w.tag(3, LENGTH).string('WARN').tag(2, VARINT).int32(13))],
    [
      'where text is no UTF-8',
      rawLog((w) => w.tag(5, LENGTH).fork().tag(1, LENGTH).bytes(Uint8Array.of(0x61, 0xff)).join()),
    ],
    ['of empty records', logs({}, {}, log(), {})],
  ])('%s', (_, request) => {
    expect(thereAndBack(blockOf(['log', request])).exceptions).toHaveLength(0);
  });
});

describe('what a line would change is kept as it was:', () => {
  it('a field of a record that this version does not know', () => {
    const request = rawLog((w) => w.tag(500, LENGTH).string('from the future'));
    const { back, exceptions } = thereAndBack(blockOf(['log', request], ['log', logs(log())]));
    expect(Buffer.from(back).includes('from the future')).toBe(true);
    expect(exceptions.length).toBeGreaterThan(0);
  });

  it('a field of a resource that this version does not know', () => {
    const resource = new BinaryWriter().tag(500, LENGTH).string('from the future').finish();
    const request = requestOf(new BinaryWriter().tag(1, 1).fixed64(NOON).finish(), resource);
    expect(Buffer.from(thereAndBack(blockOf(['log', request])).back).includes('from the future')).toBe(true);
  });

  it('minus zero', () => {
    const { back, exceptions } = thereAndBack(blockOf(['metric', points(-0)]));
    expect(exceptions.length).toBeGreaterThan(0);
    expect(back.length).toBeGreaterThan(0);
  });

  it('a record with a part that cannot be decoded; its neighbours have their line', () => {
    const span = new BinaryWriter().tag(1, LENGTH).bytes(new Uint8Array(16).fill(1));
    span.tag(2, LENGTH).bytes(new Uint8Array(8).fill(2)).tag(7, 1).fixed64(NOON);
    const brokenLink = Uint8Array.of(0x0a, 0x7f); // a trace id longer than what follows
    const broken = requestOf(span.tag(13, LENGTH).bytes(brokenLink).finish());
    const block = blockOf(['span', spans('good')], ['span', broken], ['span', spans('good')]);
    const { lines } = thereAndBack(block);
    expect(new TextDecoder().decode(lines).split('good')).toHaveLength(3);
  });
});

it('whatever bytes the walk lets in read back as the same events', () => {
  const seeds: [Signal, Uint8Array][] = [
    ['log', logs(log({ attributes: [{ key: 'k', value: int(5n) }] }), log(), {})],
    ['span', spans('a')],
    ['metric', points(1.5, 0)],
  ];
  let tried = 0;
  const mutation = fc.record({ at: fc.nat(), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(mutation, { maxLength: 3 }), ([signal, seed], mutations) => {
      const body = Uint8Array.from(seed);
      for (const { at, byte } of mutations) body[at % body.length] = byte;
      try {
        if (indexRequest(signal, body).records.length === 0) return;
      } catch {
        return; // refused at the door
      }
      tried++;
      thereAndBack(blockOf([signal, body]));
    }),
    { numRuns: 2000 },
  );
  expect(tried).toBeGreaterThan(200);
});
