/** Traces, timelines, who calls whom, metric series. */
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { formatNanos } from '../../../model/time.ts';
import { jsonToProtobuf } from '../../../otlp/json.ts';
import { ExportMetricsServiceRequestSchema } from '../../../proto/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.js';
import { spansProtobuf } from '../../support/otlp-requests.ts';
import { ago, api, event, fresh, post, system } from './shared.ts';

describe('traces', () => {
  const TRACE = '5b8efff798038103d269b633813fc60c';
  const BASE = 1_795_000_000_000_000_000n;
  const span = (id: number, parent: number | null, startMs: number, endMs: number, more: object = {}) => ({
    traceId: Uint8Array.fromHex(TRACE),
    spanId: Uint8Array.fromHex(String(id).padStart(16, '0')),
    ...(parent !== null && { parentSpanId: Uint8Array.fromHex(String(parent).padStart(16, '0')) }),
    name: `span ${id}`,
    startTimeUnixNano: BASE + BigInt(startMs) * 1_000_000n,
    endTimeUnixNano: BASE + BigInt(endMs) * 1_000_000n,
    ...more,
  });

  test('are trees with self time and critical path, whatever the order of arrival', async () => {
    await system.send('span', spansProtobuf(span(3, 2, 20, 60, { status: { code: 2, message: 'boom' } })));
    await system.send('span', spansProtobuf(span(2, 1, 10, 80), span(1, null, 0, 100)));
    const { body } = await api.get(`/traces/${TRACE.toUpperCase()}`);
    expect(body.data).toMatchObject({
      trace_id: TRACE,
      span_count: 3,
      duration_ms: 100,
      incomplete: false,
      problems: [],
      error_count: 1,
    });
    expect(body.data.spans).toMatchObject([
      { name: 'span 1', depth: 0, self_time_ms: 30, critical_path_ms: 30, children: ['0000000000000002'] },
      { name: 'span 2', depth: 1, self_time_ms: 30, critical_path_ms: 30 },
      { name: 'span 3', depth: 2, self_time_ms: 40, critical_path_ms: 40, status: 'error', status_message: 'boom' },
    ]);
    const path = body.data.critical_path.map((segment: { name: string; duration_ms: number }) => [
      segment.name,
      segment.duration_ms,
    ]);
    expect(path).toEqual([
      ['span 1', 10],
      ['span 2', 10],
      ['span 3', 40],
      ['span 2', 20],
      ['span 1', 20],
    ]);
  });

  test('are the correlation of what names none, and belong to the one that any of their records names', async () => {
    const posted = await api.post(
      '/events',
      event({
        correlation_id: 'order-77',
        trace_id: TRACE,
        message: 'in the trace',
        timestamp: formatNanos(BASE + 5_000_000n),
      }),
    );
    const { body } = await api.get('/correlations/order-77');
    expect(body.data).toMatchObject({ event_count: 4, error_count: 1, traces: [TRACE], duration_ms: 100 });
    expect(body.data.events.map((each: { message: string }) => each.message)).toEqual([
      'span 1',
      'in the trace',
      'span 2',
      'span 3',
    ]);
    expect(body.data.events.find((each: { id: string }) => each.id === posted.body.data.event_id)).toBeDefined();
  });

  test('with a missing parent say that they are incomplete', async () => {
    const traceId = Uint8Array.fromHex('1'.repeat(32));
    await system.send('span', spansProtobuf({ ...span(8, 7, 0, 10), traceId }, { ...span(9, null, 0, 10), traceId }));
    expect((await api.get(`/traces/${'1'.repeat(32)}`)).body.data).toMatchObject({
      incomplete: true,
      problems: [
        { kind: 'missing_parent', parent_span_id: '0000000000000007' },
        { kind: 'multiple_roots', count: 2 },
      ],
    });
  });

  test.each(['2'.repeat(32), 'nonsense'])('no trace %s', async (id) => {
    expect(await api.get(`/traces/${id}`)).toMatchObject({ status: 404, body: { code: 'TRACE_NOT_FOUND' } });
  });

  test('no correlation that nothing carries', async () => {
    expect(await api.get('/correlations/nothing')).toMatchObject({
      status: 404,
      body: { code: 'CORRELATION_NOT_FOUND' },
    });
  });

  test('a timeline is paged from the oldest', async () => {
    const correlation_id = fresh('c');
    for (let i = 0; i < 5; i++) await post({ correlation_id, message: `m${i}`, timestamp: ago(10 - i) });
    const messages: string[] = [];
    let cursor = '';
    do {
      const { body } = await api.get(`/correlations/${correlation_id}?limit=2${cursor && `&cursor=${cursor}`}`);
      messages.push(...body.data.events.map((each: { message: string }) => each.message));
      cursor = body.meta.next_cursor ?? '';
      expect(body.data.event_count).toBe(5);
    } while (cursor !== '');
    expect(messages).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
  });

  test('latency of a component comes from its spans', async () => {
    const { body } = await api.post('/analytics/performance', {
      component_type: 'service',
      component_id: 'shop',
      start: formatNanos(BASE),
      end: formatNanos(BASE + 60_000_000_000n),
    });
    expect(body.data.sample_count).toBe(5);
    expect(body.data.p99_ms).toBeCloseTo(100, -1);
  });
});

test('metric points are series', async () => {
  const now = system.needs.clock.nowNanos();
  const attributes = [{ key: 'queue', value: { value: { case: 'stringValue', value: 'mail' } } as const }];
  const dataPoints = [3n, 4n].map((value, i) => {
    return { timeUnixNano: now - BigInt(i), attributes, value: { case: 'asInt', value } as const };
  });
  const metrics = [{ name: 'queue.depth', data: { case: 'gauge', value: { dataPoints } } as const }];
  const request = create(ExportMetricsServiceRequestSchema, { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
  await system.send('metric', toBinary(ExportMetricsServiceRequestSchema, request));
  const { body } = await api.get('/metrics?metric_name=queue.depth');
  expect(body.data).toMatchObject([
    { metric_name: 'queue.depth', type: 'gauge', dimensions: { queue: 'mail' }, points: [{ value: 4 }, { value: 3 }] },
  ]);
  expect((await api.get('/metrics?metric_name=queue')).body.data).toEqual([]);
});

test('the topology is drawn from the spans of a window', async () => {
  const time = system.needs.clock.nowNanos() - 30_000_000_000n;
  const ids = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(7) };
  const span = { ...ids, name: 'GET /', startTimeUnixNano: time, endTimeUnixNano: time + 5_000_000n };
  await system.send('span', spansProtobuf(span));
  const [start, end] = [formatNanos(time), formatNanos(time + 1_000_000_000n)];
  const { status, body } = await api.get(`/topology?start=${start}&end=${end}`);
  expect(status).toBe(200);
  expect(body.data.spans).toBeGreaterThan(0);
  expect(body.data.nodes.length).toBeGreaterThan(0);
  expect(await api.get('/topology?time_range=soon')).toMatchObject({ status: 400 });
});

test('versions and nodes are those that resources name', async () => {
  const time = system.needs.clock.nowNanos();
  const said = { 'service.name': 'versioned', 'service.version': '2.1.0', 'host.name': 'h1' };
  const attributes = Object.entries(said).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  const metrics = [{ name: 'up', gauge: { dataPoints: [{ timeUnixNano: String(time), asInt: '1' }] } }];
  const request = JSON.stringify({ resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics }] }] });
  await system.send('metric', jsonToProtobuf('metric', new TextEncoder().encode(request)));
  const { status, body } = await api.get('/versions?component_type=service&component_id=versioned');
  const seen = { first_seen: formatNanos(time), last_seen: formatNanos(time) };
  const component = { component_type: 'service', component_id: 'versioned' };
  expect([status, body.data]).toEqual([
    200,
    [{ ...component, attribute: 'service.version', version: '2.1.0', ...seen, nodes: 1, before: null }],
  ]);
  const nodes = await api.get('/nodes?component_type=service&component_id=versioned');
  expect([nodes.status, nodes.body.data]).toEqual([200, [{ ...component, node_id: 'h1', version: '2.1.0', ...seen }]]);
  expect((await api.get('/versions?component_id=nobody')).body.data).toEqual([]);
  expect(await api.get('/versions?time_range=soon')).toMatchObject({ status: 400 });
});
