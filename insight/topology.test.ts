import { expect, test } from 'vitest';
import type { EdgeKind, EdgeMinute } from '../model/rollup.ts';
import { Sketch } from '../model/sketch.ts';
import { span } from '../test/support/telemetry.ts';
import { topologyOf } from './topology.ts';

/** A shop that asks stock, which asks a database that sends nothing. */
function request(trace: string, ms: number, failed = false) {
  return [
    span({ trace, ms, by: 'shop', id: 'a', kind: 'server', took: 100 }),
    span({ trace, ms: ms + 10, by: 'shop', id: 'b', parent: 'a', kind: 'client', took: 60, failed }),
    span({ trace, ms: ms + 15, by: 'stock', id: 'c', parent: 'b', kind: 'server', took: 50, failed }),
    span({
      trace,
      ms: ms + 20,
      by: 'stock',
      id: 'd',
      parent: 'c',
      kind: 'client',
      took: 40,
      data: { 'server.address': 'db.internal', 'server.port': 5432 },
    }),
  ];
}

/** The edges that receiver/calls.ts counts of such requests. */
function edges(calls: number, failed = 0): EdgeMinute[] {
  const edge = (kind: EdgeKind, from_id: string, to_id: string, ms: number): EdgeMinute => {
    const latency = new Sketch();
    latency.add(ms, calls);
    const from_type = from_id === '' ? '' : 'service';
    const errors = kind === 'call' ? failed : 0;
    return { minute: 0n, kind, from_type, from_id, to_type: 'service', to_id, calls, errors, latency };
  };
  return [
    edge('entry', '', 'shop', 100),
    edge('call', 'shop', 'stock', 60),
    edge('peer', 'stock', 'db.internal:5432', 40),
  ];
}

test('calls between components are counted with their errors and as long as the caller waited', () => {
  const spans = [...request('t1', 0), ...request('t2', 200), ...request('t3', 400, true)];
  const topology = topologyOf({ edges: [...edges(2), ...edges(1, 1)], spans, minutes: 2 });
  expect(topology.edges).toHaveLength(2);
  const edge = topology.edges.find(({ from }) => from.id === 'shop')!;
  expect(edge).toMatchObject({ to: { type: 'service', id: 'stock' }, calls: 3, errors: 1, calls_per_minute: 1.5 });
  expect(edge.p50_ms).toBeCloseTo(60, -1);
  expect(edge.critical_share).toBeCloseTo(0.5, 2);
  expect(edge.critical).toBe(true);
});

test('who is called but sends nothing is there, marked as inferred', () => {
  const topology = topologyOf({ edges: edges(1), spans: request('t1', 0), minutes: 1 });
  expect(topology.nodes.map(({ component_id, inferred, calls }) => [component_id, inferred, calls])).toEqual([
    ['db.internal:5432', true, 1],
    ['shop', false, 1],
    ['stock', false, 1],
  ]);
  expect(topology.edges.find(({ to }) => to.id === 'db.internal:5432')).toMatchObject({
    from: { id: 'stock' },
    calls: 1,
    critical_share: expect.closeTo(0.4, 2),
  });
});

test('a node is as healthy as the calls that it answered', () => {
  const { nodes } = topologyOf({ edges: edges(10, 2), spans: [], minutes: 1 });
  expect(nodes.find(({ component_id }) => component_id === 'stock')).toMatchObject({
    health_score: 80,
    status: 'degraded',
  });
  expect(nodes.find(({ component_id }) => component_id === 'shop')).toMatchObject({
    health_score: 100,
    status: 'healthy',
  });
});

test('without calls there is nothing to draw', () => {
  expect(topologyOf({ edges: [], spans: [], minutes: 1 })).toEqual({ nodes: [], edges: [] });
});
