import { describe, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { createMeter } from '../base/meter.ts';
import { decodeIndex, decodePayload } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import type { Template } from '../model/rollup.ts';
import { parseNanos } from '../model/time.ts';
import { jsonToProtobuf } from '../otlp/json.ts';
import { readBlock } from '../otlp/read.ts';
import { indexRequest } from '../otlp/walk.ts';
import { type Cardinality, createCardinality } from './cardinality.ts';
import { type Derived, derive, withoutKnown } from './derive.ts';
import { RecentIds } from './recent-ids.ts';
import { ToldTraces } from './told-traces.ts';

const NOW = parseNanos('2026-03-02T12:00:30Z')!;
const HOUR = 3_600_000_000_000n;

describe('duplicates', () => {
  test('a record sent again, in the same request or a later one, is stored and counted once', async () => {
    const recent = new RecentIds(100);
    const first = await deriveLogs([log({ body: 'a' }), log({ body: 'a' }), log({ body: 'b' })], { recent });
    const again = await deriveLogs([log({ body: 'b' }), log({ body: 'c' })], { recent });
    expect(messages(first)).toEqual(['a', 'b']);
    expect(messages(again)).toEqual(['c']);
    expect([first.duplicates, again.duplicates]).toEqual([1, 1]);
    expect(again.componentMinutes[0]!.total).toBe(1);
  });
});

describe('partitions', () => {
  test.each([
    ['its own day', -24n * HOUR, '2026-03-01'],
    ['the day it arrived, when older than what is retained', -200n * HOUR, '2026-03-02'],
    ['the day it arrived, when its clock is years ahead', 24n * 365n * HOUR, '2026-03-02'],
  ])('a record goes to %s', async (_what, shift, day) => {
    expect((await deriveLogs([log({ time: NOW + shift })])).blocks.map((block) => block.day)).toEqual([day]);
  });

  test('records of two days are two blocks, and keep the time they were sent with', async () => {
    const { blocks } = await deriveLogs([log({ time: NOW }), log({ time: NOW - 24n * HOUR }), log({ time: 0n })]);
    expect(blocks.map(({ day, count }) => [day, count])).toEqual([
      ['2026-03-02', 2],
      ['2026-03-01', 1],
    ]);
    expect(blocks[0]!.timeMin).toBe(0n);
  });
});

test.each([
  ['others have their turn four times a block', false, 4],
  ['unless so much waits that it is behind', true, 1],
])('%s', async (_what, behind, expected) => {
  let turn = 0;
  let derived = false;
  const count = () => {
    turn++;
    if (!derived) setImmediate(count);
  };
  const seen = new Set<number>();
  const templateOf = (text: string) => {
    seen.add(turn);
    return { id: 'a'.repeat(16), text };
  };
  const logRecords = Array.from({ length: 1000 }, (_, i) => log({ body: `${i}` }));
  const request = { resourceLogs: [{ resource: SHOP, scopeLogs: [{ logRecords }] }] };
  const body = jsonToProtobuf('log', new TextEncoder().encode(JSON.stringify(request)));
  const arrival = { receivedAt: NOW, records: indexRequest('log', body).records };
  setImmediate(count);
  await derive('default', [arrival], { retentionNanos: HOUR, templateOf, isBehind: () => behind });
  derived = true;
  expect(seen.size).toBe(expected);
});

test('F22 of 20,000 services and messages 10,000 are counted by themselves, flush after flush, and every record keeps its name', async () => {
  const cardinality = createCardinality({ clock: systemClock(), meter: createMeter() });
  for (let flush = 0; flush < 2; flush++) {
    const logs = Array.from({ length: 10_100 }, (_, i) => ({
      ...log({ body: `${'x'.repeat(i % 7)} ${flush} ${i}` }),
      attributes: [{ key: 'service.name', value: { stringValue: `service-${flush}-${i}` } }],
    }));
    const { blocks, componentMinutes, templates, templateMinutes } = await deriveLogs(logs, { cardinality });
    expect(componentMinutes.length).toBe(flush === 0 ? 10_001 : 1);
    expect(componentMinutes.at(-1)).toMatchObject({ component_type: 'system', component_id: 'otel.overflow' });
    expect(componentMinutes.reduce((sum, { total }) => sum + total, 0)).toBe(10_100);
    expect(templateMinutes.reduce((sum, { count }) => sum + count, 0)).toBe(10_100);
    expect(templates.filter(({ text }) => text !== 'otel.overflow').length).toBe(flush === 0 ? 10_000 : 0);
    const named = blocks.flatMap(({ index }) => decodeIndex(index).header.components.map(({ id }) => id));
    expect(new Set(named).size).toBe(10_100);
  }
});

describe('what is counted beside the blocks', () => {
  test('minutes of a component: total, errors, critical and latency', async () => {
    const spans = [span({ end: NOW + 5_000_000n }), span({ id: '2'.repeat(16), end: NOW + 9_000_000n, failed: true })];
    const derived = await deriveRequest('span', { resourceSpans: [{ resource: SHOP, scopeSpans: [{ spans }] }] });
    const [minute] = derived.componentMinutes;
    expect(minute).toMatchObject({
      component_id: 'shop',
      total: 2,
      errors: 1,
      critical: 0,
      minute: NOW - 30_000_000_000n,
    });
    expect(minute!.latency.quantile(1)).toBeCloseTo(9, 0);
    expect((await deriveLogs([log({ severity: 21 }), log({ body: 'x' })])).componentMinutes).toMatchObject([
      { total: 2, errors: 1, critical: 1 },
    ]);
  });

  describe('errors that no template tells of', () => {
    const failed = { ...span({ failed: true }), traceId: '1'.repeat(32) };
    const deriveSpan = (fields: object, told = new ToldTraces()) =>
      deriveRequest('span', { resourceSpans: [{ scopeSpans: [{ spans: [{ ...failed, ...fields }] }] }] }, { told });
    const untold = ({ componentMinutes }: Derived) => componentMinutes.map(({ errors, untold }) => [errors, untold]);

    test('are failed spans, unless an exception comes with them', async () => {
      expect(untold(await deriveSpan({}))).toEqual([[1, 1]]);
      const attributes = [attribute('exception.type', 'Timeout'), attribute('exception.message', 'too late')];
      const events = [{ name: 'exception', timeUnixNano: String(NOW), attributes }];
      expect(untold(await deriveSpan({ events }))).toEqual([[2, 0]]);
    });

    test('are failed spans until their trace has logged an error, in whatever flush, of the same tenant', async () => {
      const told = new ToldTraces();
      const logged = (severity: number) => deriveLogs([log({ severity, trace: failed.traceId })], { told });
      expect(untold(await logged(9))).toEqual([[0, 0]]);
      expect(untold(await deriveSpan({}, told))).toEqual([[1, 1]]);
      expect(untold(await logged(17))).toEqual([[1, 0]]);
      expect(untold(await deriveSpan({ spanId: '2'.repeat(16) }, told))).toEqual([[1, 0]]);
      expect(untold(await deriveSpan({ traceId: '2'.repeat(32) }, told))).toEqual([[1, 1]]);
      expect(told.has('another', failed.traceId)).toBe(false);
    });

    test('are logs without a message, and named ones', async () => {
      const told = new ToldTraces();
      told.add('default', [failed.traceId]);
      const of = { severity: 17, trace: failed.traceId };
      const logs = [log({ ...of, body: '' }), { ...log(of), body: undefined, eventName: 'cart.lost' }, log(of)];
      expect(untold(await deriveLogs(logs, { told }))).toEqual([[3, 2]]);
    });

    test('are those of a trace again that was forgotten behind many others', async () => {
      const told = new ToldTraces(2);
      told.add('default', ['a', 'b', 'c']);
      expect(['a', 'b', 'c'].map((trace) => told.has('default', trace))).toEqual([true, true, true]);
      told.add('default', ['d']);
      expect(['a', 'b', 'c', 'd'].map((trace) => told.has('default', trace))).toEqual([false, false, true, true]);
    });
  });

  test('metric points are not counted: they cannot fail', async () => {
    const metrics = [{ name: 'm', gauge: { dataPoints: [{ timeUnixNano: String(NOW), asInt: 1 }] } }];
    const derived = await deriveRequest('metric', {
      resourceMetrics: [{ resource: SHOP, scopeMetrics: [{ metrics }] }],
    });
    expect(derived.blocks[0]!.count).toBe(1);
    expect(derived.componentMinutes).toEqual([]);
  });

  test('names get no template: of a span, of a log event', async () => {
    const named = [{ ...log({}), body: undefined, eventName: 'cart.emptied' }, log({ body: 'x 1' })];
    expect(events(await deriveLogs(named)).map(({ message, template_id }) => [message, template_id])).toEqual([
      ['cart.emptied', null],
      ['x 1', 'T'],
    ]);
    const [work] = events(await deriveRequest('span', { resourceSpans: [{ scopeSpans: [{ spans: [span({})] }] }] }));
    expect(work!.template_id).toBeNull();
  });

  test('templates: count, the worst level, first and last', async () => {
    const derived = await deriveLogs([log({ body: 'x 1' }), log({ body: 'x 2', severity: 17, time: NOW + 1n })]);
    expect(derived.templates).toEqual([{ id: 'T', text: 'x' }]);
    expect(derived.templateMinutes).toMatchObject([
      { template_id: 'T', count: 2, severity_max: 17, first_time: NOW, last_time: NOW + 1n },
    ]);
  });

  test('of two correlations of a trace the earlier stands, whatever their order', async () => {
    const trace = '1'.repeat(32);
    const said = (id: string, time: bigint) => log({ trace, time, attributes: [attribute('correlation_id', id)] });
    const expected = [{ trace_id: trace, correlation_id: 'early', time: NOW }];
    expect((await deriveLogs([said('late', NOW + 1n), said('early', NOW)])).traceCorrelations).toEqual(expected);
    expect((await deriveLogs([said('early', NOW), said('late', NOW + 1n)])).traceCorrelations).toEqual(expected);
  });

  test('snapshots: state, checkpoint and type; a state that is no object is kept under "value"', async () => {
    const state = { kvlistValue: { values: [attribute('stock', 'many')] } };
    const derived = await deriveLogs([
      {
        ...log({
          time: NOW,
          attributes: [attribute('debug.checkpoint', 'after'), attribute('debug.snapshot.type', 'partial')],
        }),
        eventName: 'debug.state.snapshot',
        body: state,
      },
      { ...log({ time: NOW + 1n }), eventName: 'debug.state.snapshot', body: { intValue: 3 } },
    ]);
    expect(derived.snapshots).toMatchObject([
      {
        component_id: 'shop',
        node_id: 'n1',
        checkpoint_name: 'after',
        snapshot_type: 'partial',
        state_data: { stock: 'many' },
        time: NOW,
      },
      { snapshot_type: 'full', state_data: { value: 3 } },
    ]);
    expect(derived.snapshots[0]!.id).toBe(events(derived)[0]!.id);
  });
});

const SHOP = { attributes: [attribute('service.name', 'shop'), attribute('service.instance.id', 'n1')] };

function attribute(key: string, value: string) {
  return { key, value: { stringValue: value } };
}

function log({ time = NOW, body = 'm', severity = 9, trace = '', attributes = [] as object[] }) {
  return {
    timeUnixNano: String(time),
    body: { stringValue: body },
    severityNumber: severity,
    traceId: trace,
    attributes,
  };
}

function span({ id = '1'.repeat(16), end = NOW, failed = false }) {
  const status = failed ? { code: 2 } : {};
  return {
    traceId: '1'.repeat(32),
    spanId: id,
    name: 's',
    startTimeUnixNano: String(NOW),
    endTimeUnixNano: String(end),
    status,
  };
}

type Found = Derived & { duplicates: number };

interface More {
  recent?: RecentIds;
  /** Each message is then a template of its own. */
  cardinality?: Cardinality;
  told?: ToldTraces;
}

function deriveLogs(logRecords: object[], more: More = {}): Promise<Found> {
  return deriveRequest('log', { resourceLogs: [{ resource: SHOP, scopeLogs: [{ logRecords }] }] }, more);
}

async function deriveRequest(
  signal: 'log' | 'span' | 'metric',
  json: object,
  { recent = new RecentIds(100), cardinality, told = new ToldTraces() }: More = {},
): Promise<Found> {
  const body = jsonToProtobuf(signal, new TextEncoder().encode(JSON.stringify(json)));
  const first = (message: string): Template => ({ id: 'T', text: message.split(' ')[0]! });
  const each = (message: string): Template => ({ id: message, text: message });
  const more = cardinality === undefined ? { templateOf: first } : { templateOf: each, cardinality };
  const arrivals = [{ receivedAt: NOW, records: indexRequest(signal, body).records }];
  const { fresh, duplicates } = await withoutKnown('default', arrivals, recent);
  return { ...(await derive('default', fresh, { retentionNanos: 168n * HOUR, told, ...more })), duplicates };
}

function events({ blocks }: Derived): DebugEvent[] {
  return blocks.flatMap((block) => {
    const records = readBlock(decodeIndex(block.index), decodePayload(block.payload));
    return Array.from({ length: records.count }, (_, i) => records.event(i, () => undefined));
  });
}

const messages = (derived: Derived) => events(derived).map(({ message }) => message);
