import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AttributeFilterBuilder, attributeProbe, mayHoldAttributes } from '../model/attribute-filter.ts';
import { EVENT_TYPES, levelOf } from '../model/event.ts';
import { eventId } from '../model/ids.ts';
import { type IndexedRecord, PAIRS, type RecordTable, ROW_WORDS } from '../model/records.ts';
import { LogRecordSchema } from '../proto/gen/opentelemetry/proto/logs/v1/logs_pb.js';
import { jsonToProtobuf } from './json.ts';
import { createIndexer, indexRequest, REQUEST_RECORDS_MAX } from './walk.ts';
import { DEPTH_MAX } from './wire.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('what a record is', () => {
  test.each([
    [{ severityNumber: 9 }, 'log', 'INFO'],
    [{ severityNumber: 17 }, 'error', 'ERROR'],
    [{ severityNumber: 24 }, 'error', 'CRITICAL'],
    [{ severityText: 'warn' }, 'log', 'WARNING'],
    [{ severityText: 'Error' }, 'error', 'ERROR'],
    [{ severityNumber: 25 }, 'log', null],
    [{ body: { stringValue: '{"level":50,"msg":"no"}' } }, 'error', 'ERROR'],
    [{ body: { stringValue: '{"ts":1,"level":"fatal"}' } }, 'error', 'CRITICAL'],
    [{ body: { stringValue: '{"severity":"Warning"}' } }, 'log', 'WARNING'],
    [{ severityNumber: 9, body: { stringValue: '{"level":50}' } }, 'log', 'INFO'],
    [{ body: { stringValue: '{"level":500,"note":"\\"level\\":50"}' } }, 'log', null],
    [{ body: { stringValue: 'level: {"level":50}' } }, 'log', null],
    [{}, 'log', null],
    [{ attributes: [text('exception.type', 'TypeError')] }, 'error', 'ERROR'],
    [{ eventName: 'debug.state.snapshot', severityNumber: 9 }, 'state_snapshot', 'INFO'],
    [{ eventName: 'entity.state' }, 'state_snapshot', null],
    [{ attributes: [text('debug.event.type', 'system')] }, 'system', null],
    [{ attributes: [text('debug.event.type', 'nonsense')] }, 'log', null],
  ])('log record %j is a %s at level %s', (record, type, level) => {
    const [found] = logs([record]);
    expect([EVENT_TYPES[found!.type], levelOf(found!.severity)]).toEqual([type, level]);
  });

  const json = { kvlistValue: { values: [text('order', '5')] } };
  test.each([
    ['its body', { body: { stringValue: 'paid' }, eventName: 'order.paid' }, 'paid'],
    ['what its exception says', { body: json, attributes: [text('exception.message', 'boom')] }, 'boom'],
    ['its name', { body: json, eventName: 'order.paid' }, 'order.paid'],
    ['not known: the structure of its body', { body: json }, null],
    [
      'not known: an exception that says a number',
      { body: json, eventName: 'e', attributes: [{ key: 'exception.message', value: { intValue: '7' } }] },
      null,
    ],
    ['none', {}, ''],
    [
      'what is read later, after an exception that says nothing the second time',
      { eventName: 'e', attributes: [text('exception.message', 'boom'), { key: 'exception.message' }] },
      null,
    ],
  ])('the message of a log record is %s', (_, record, message) => {
    expect(messageOf(logs([record]).record(0))).toBe(message);
  });

  test('the message of a span, and of a metric, is its name, that of an exception what it says', () => {
    const exception = { timeUnixNano: '8', name: 'exception' };
    const found = spans([
      { name: 'GET /cart', events: [{ ...exception, attributes: [text('exception.message', 'boom')] }, exception] },
    ]);
    expect(found.map(messageOf)).toEqual(['GET /cart', 'boom', null]);
    const gauge = { dataPoints: [{ timeUnixNano: '1', asInt: '4' }] };
    const metric = index('metric', {
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'queue.length', gauge }] }] }],
    });
    expect(metric.records.map(messageOf)).toEqual(['queue.length']);
  });

  test('a failed span counts as an error, a span without status does not', () => {
    const [failed, fine] = spans([{ status: { code: 2 } }, { spanId: 'b7ad6b7169203332' }]);
    expect([levelOf(failed!.severity), levelOf(fine!.severity)]).toEqual(['ERROR', 'INFO']);
  });

  test('a span exception event is an error of its own, another event is not', () => {
    const found = spans([
      {
        events: [
          { timeUnixNano: '7', name: 'retry' },
          { timeUnixNano: '8', name: 'exception', attributes: [text('exception.message', 'boom')] },
        ],
      },
    ]);
    expect(found.map(({ type, part, time }) => [EVENT_TYPES[type], part, time])).toEqual([
      ['span', 0, 5n],
      ['error', 2, 8n],
    ]);
    expect(found.record(1).trace).toBe(TRACE);
  });

  test('each metric data point is a record of its own', () => {
    const points = [
      { timeUnixNano: '1', asInt: '4' },
      { timeUnixNano: '2', asDouble: 0.5 },
    ];
    const found = index('metric', {
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                { name: 'a', gauge: { dataPoints: points } },
                { name: 'b', summary: { dataPoints: [{}] } },
              ],
            },
          ],
        },
      ],
    });
    expect(found.records.map(({ part, time }) => [part, time])).toEqual([
      [1, 1n],
      [2, 2n],
      [1, 0n],
    ]);
    expect(found.accepted).toBe(3);
  });
});

describe('which attributes a record has', () => {
  test('its own and no others, whatever their kind', () => {
    const found = logs([
      { attributes: [text('user', 'ann'), { key: 'status', value: { intValue: '503' } }] },
      {
        attributes: [
          { key: 'size', value: { intValue: '-5' } },
          { key: 'done', value: { boolValue: true } },
        ],
      },
      {},
    ]);
    const asked = [
      ['user', 'ann'],
      ['status', '503'],
      ['size', '-5'],
      ['done', 'true'],
      ['user', 'bob'],
    ] as const;
    const has = (row: number) => asked.map((pair) => mayHave(found, row, pair));
    expect([has(0), has(1), has(2)]).toEqual([
      [true, true, false, false, false],
      [false, false, true, true, false],
      [false, false, false, false, false],
    ]);
  });

  test('a span and its exceptions have those of both, the points of a metric those of all', () => {
    const exception = { timeUnixNano: '8', name: 'exception', attributes: [text('exception.type', 'E')] };
    const found = spans([{ attributes: [text('user', 'ann')], events: [exception] }, {}]);
    const point = (user: string) => ({ attributes: [text('user', user)] });
    const metrics = [{ name: 'm', sum: { dataPoints: [point('ann'), point('bob')] } }];
    const { records } = index('metric', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
    const has = (table: RecordTable, key: string, value: string) =>
      Array.from({ length: table.length }, (_, row) => mayHave(table, row, [key, value]));
    expect(has(found, 'user', 'ann')).toEqual([true, true, false]);
    expect(has(found, 'exception.type', 'E')).toEqual([true, true, false]);
    expect(has(records, 'user', 'bob')).toEqual([true, true]);
  });

  test('a value in two pieces cannot be told, and neither can those of its request', () => {
    const attribute = new BinaryWriter().tag(1, 2).string('user');
    for (const name of ['ann', 'bob']) attribute.tag(2, 2).fork().tag(1, 2).string(name).join();
    const record = new BinaryWriter().tag(6, 2).bytes(attribute.finish()).finish();
    expect(indexRequest('log', wrap(record)).records.pairs.known).toBe(false);
    expect(logs([{ attributes: [text('user', 'ann')] }]).pairs.known).toBe(true);
  });

  function mayHave({ pairs, words }: RecordTable, row: number, pair: readonly [string, string]): boolean {
    const filter = new AttributeFilterBuilder();
    filter.addList(pairs, words[row * ROW_WORDS + PAIRS]!);
    return mayHoldAttributes(filter.build(), attributeProbe([pair])!);
  }
});

describe('whose a record is', () => {
  test.each([
    [[], [], ['service', 'unknown_service']],
    [[], [text('service.name', 'shop')], ['service', 'shop']],
    [[], [text('service.name', 'shop'), text('browser.platform', 'Linux')], ['browser', 'shop']],
    [[], [text('service.name', 'shop'), text('telemetry.sdk.language', 'webjs')], ['browser', 'shop']],
    [[text('gen_ai.agent.name', 'planner')], [text('service.name', 'shop')], ['agent', 'planner']],
    [[text('gen_ai.agent.name', 'planner'), text('gen_ai.agent.id', 'a-1')], [], ['agent', 'a-1']],
    [[text('workflow.id', 'w-1')], [text('service.name', 'shop')], ['workflow', 'w-1']],
    [[text('gen_ai.operation.name', 'invoke_workflow')], [text('service.name', 'shop')], ['workflow', 'shop']],
    [
      [text('debug.component.type', 'agent'), text('debug.component.id', 'x')],
      [text('service.name', 'shop')],
      ['agent', 'x'],
    ],
    [[text('debug.component.id', 'x')], [text('service.name', 'shop')], ['service', 'x']],
  ])('attributes %j on resource %j: %j', (attributes, resource, expected) => {
    const [found] = logs([{ attributes }], resource);
    expect([found!.component.type, found!.component.id]).toEqual(expected);
  });

  test.each([
    [['service.instance.id', 'k8s.pod.name', 'host.name'], 'service.instance.id'],
    [['k8s.pod.name', 'host.name'], 'k8s.pod.name'],
    [['host.name'], 'host.name'],
  ])('of %j the node is %s', (keys, expected) => {
    const [found] = logs(
      [{}],
      keys.map((key) => text(key, key)),
    );
    expect(found!.envelope.nodeId).toBe(expected);
  });
});

describe('what ties records together', () => {
  test('record before scope before resource, and the first configured key before later ones', () => {
    const key = 'correlation_id';
    const all = { record: [text(key, 'r')], scope: [text(key, 's')], resource: [text(key, 'e')] };
    const correlation = (record: object[], scope: object[], resource: object[]) =>
      index('log', request([{ attributes: record }], resource, scope)).records.record(0).correlation;
    expect(correlation(all.record, all.scope, all.resource)).toBe('r');
    expect(correlation([], all.scope, all.resource)).toBe('s');
    expect(correlation([], [], all.resource)).toBe('e');
    expect(correlation([text('correlationId', 'later'), text('debug.correlation_id', 'first')], [], [])).toBe('first');
    expect(correlation([text(key, '')], [], [])).toBeNull();
    expect(correlation([{ key, value: { intValue: '-42' } }], [], [])).toBe('-42');
  });

  test('keys can be set', () => {
    const indexer = createIndexer({ correlationKeys: ['order.id'], operationKeys: ['step'] });
    const body = jsonToProtobuf(
      'log',
      encode(request([{ attributes: [text('order.id', 'o'), text('step', 's'), text('correlation_id', 'x')] }])),
    );
    expect(indexer('log', body).records.record(0)).toMatchObject({ correlation: 'o', operation: 's' });
  });

  test('an exception event says what its span says', () => {
    const event = { name: 'exception', timeUnixNano: '9' };
    const found = spans([{ attributes: [text('debug.operation_id', 'op')], events: [event] }]);
    expect(found.map(({ operation }) => operation)).toEqual(['op', 'op']);
  });
});

describe('ids', () => {
  const id = (records: Iterable<IndexedRecord>) => Array.from(records, ({ time, hash }) => eventId(time, hash));

  test('start with the time, so that they sort by it', () => {
    expect(id(logs([{ timeUnixNano: '255' }]))[0]).toMatch(/^00000000000000ff/);
    expect(id(logs([{ observedTimeUnixNano: '16' }]))[0]).toMatch(/^0000000000000010/);
  });

  test('the same record delivered twice has the same id; another time, body, attribute or resource another', () => {
    const base = { timeUnixNano: '1', body: { stringValue: 'a' }, attributes: [text('k', 'v')] };
    const ids = [
      ...id(logs([base])),
      ...id(logs([{ ...base, timeUnixNano: '2' }])),
      ...id(logs([{ ...base, body: { stringValue: 'b' } }])),
      ...id(logs([{ ...base, attributes: [text('k', 'w')] }])),
      ...id(logs([{ ...base, attributes: [text('kv', '')] }])),
      ...id(logs([base], [text('service.name', 'x')])),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(id(logs([{}, base]))[1]).toBe(ids[0]);
  });

  test('do not depend on the order of fields on the wire, nor on defaults being sent', () => {
    const inOrder = toBinary(
      LogRecordSchema,
      create(LogRecordSchema, { timeUnixNano: 3n, severityNumber: 9, eventName: 'e' }),
    );
    const reversed = new BinaryWriter();
    reversed.tag(12, 2).string('e').tag(7, 0).uint32(0).tag(2, 0).int32(9).tag(1, 1).fixed64(3n);
    const [a] = indexRequest('log', wrap(inOrder)).records;
    const [b] = indexRequest('log', wrap(reversed.finish())).records;
    expect(id([b!])).toEqual(id([a!]));
  });
});

describe('what cannot be a record', () => {
  test('a span with a bad id is refused alone, and the answer says why', () => {
    const found = index('span', {
      resourceSpans: [
        {
          scopeSpans: [
            { spans: [span({ spanId: '' }), span({}), span({ traceId: '0'.repeat(32) }), span({ traceId: 'xyz' })] },
          ],
        },
      ],
    });
    expect(found).toMatchObject({
      accepted: 1,
      rejected: 3,
      rejectedReason: 'span_id must be 8 bytes and not all zero',
    });
  });

  test('a log record with a bad trace id is kept, uncorrelated', () => {
    const found = logs([{ traceId: 'abc' }, { traceId: '0'.repeat(32) }, { traceId: TRACE.toUpperCase() }]);
    expect(found.map(({ trace }) => trace)).toEqual([null, null, TRACE]);
  });

  test(`a value nested deeper than ${DEPTH_MAX} costs its record only`, () => {
    const nested = (depth: number) => {
      let value: object = { stringValue: 'deep' };
      for (let i = 0; i < depth; i++)
        value = i % 2 ? { arrayValue: { values: [value] } } : { kvlistValue: { values: [{ key: 'k', value }] } };
      return value;
    };
    const found = index(
      'log',
      request([
        { body: nested(DEPTH_MAX) },
        { body: nested(DEPTH_MAX + 1) },
        { attributes: [{ key: 'a', value: nested(5000) }] },
      ]),
    );
    expect(found).toMatchObject({ accepted: 1, rejected: 2 });
  });

  test.each([
    ['a truncated varint', [0x0a, 0x80]],
    ['a length past the end', [0x0a, 0x05, 0x00]],
    ['a varint of eleven bytes', [0x08, ...new Array(11).fill(0xff)]],
    ['field number 0', [0x00]],
    ['a group without end', [0x13]],
    ['wire type 7', [0x0f]],
  ])('%s is MALFORMED', (_what, bytes) => {
    expect(() => indexRequest('log', Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  test('unknown fields and groups are passed over', () => {
    const writer = new BinaryWriter();
    writer.tag(99, 3).tag(1, 0).int32(7).tag(99, 4).tag(1000, 2).string('x').tag(1001, 5).fixed32(1);
    expect(indexRequest('span', writer.finish())).toMatchObject({ accepted: 0, rejected: 0 });
  });

  test('whatever the bytes, the walk answers or says MALFORMED', () => {
    const valid = jsonToProtobuf(
      'span',
      encode({ resourceSpans: [{ scopeSpans: [{ spans: [span({ attributes: [text('a', 'b')] })] }] }] }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('log', 'span', 'metric'),
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255))),
        (signal, edits) => {
          const bytes = valid.slice();
          for (const [at, byte] of edits) bytes[at] = byte;
          try {
            indexRequest(signal, bytes);
          } catch (error) {
            expect(error).toMatchObject({ code: 'MALFORMED' });
          }
        },
      ),
    );
  });
});

/** Null: not known from the wire alone. */
function messageOf({ body, messageStart, messageEnd }: IndexedRecord): string | null {
  return messageEnd < messageStart ? null : Buffer.from(body.subarray(messageStart, messageEnd)).toString();
}

function text(key: string, value: string) {
  return { key, value: { stringValue: value } };
}

function span(more: object) {
  return { traceId: TRACE, spanId: SPAN, name: 'work', startTimeUnixNano: '5', endTimeUnixNano: '6', ...more };
}

describe('F21 a request of very many records', () => {
  const empties = (count: number) => {
    // Of one ResourceLogs with one ScopeLogs: log records of no bytes, two bytes each on the wire.
    const records = Buffer.from('1200'.repeat(count), 'hex');
    const wrap = (field: number, bytes: Uint8Array) => new BinaryWriter().tag(field, 2).bytes(bytes).finish();
    return wrap(1, wrap(2, records));
  };

  test('is walked in turns, to the same index', async () => {
    const body = empties(500_000);
    let turns = 0;
    const tick = () => {
      turns++;
      immediate = setImmediate(tick);
    };
    let immediate = setImmediate(tick);
    const found = await indexRequest.inTurns('log', body);
    clearImmediate(immediate);
    expect(found.accepted).toBe(500_000);
    expect(turns).toBeGreaterThan(2);
    expect(
      Buffer.from(found.records.words.buffer).equals(Buffer.from(indexRequest('log', body).records.words.buffer)),
    ).toBe(true);
  });

  test('keeps as many as one request may bring, and rejects the others', () => {
    expect(indexRequest('log', empties(REQUEST_RECORDS_MAX + 3))).toMatchObject({
      accepted: REQUEST_RECORDS_MAX,
      rejected: 3,
      rejectedReason: expect.stringContaining('records in one request'),
    });
  });
});

function request(records: object[], resource: object[] = [], scope: object[] = []) {
  return {
    resourceLogs: [
      { resource: { attributes: resource }, scopeLogs: [{ scope: { attributes: scope }, logRecords: records }] },
    ],
  };
}

const encode = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));
const index = (signal: 'log' | 'span' | 'metric', json: unknown) =>
  indexRequest(signal, jsonToProtobuf(signal, encode(json)));
const logs = (records: object[], resource?: object[]) => index('log', request(records, resource)).records;
const spans = (list: object[]) =>
  index('span', { resourceSpans: [{ scopeSpans: [{ spans: list.map(span) }] }] }).records;

/** A request around the bytes of one log record. */
function wrap(record: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  return writer.tag(1, 2).fork().tag(2, 2).fork().tag(2, 2).bytes(record).join().join().finish();
}
