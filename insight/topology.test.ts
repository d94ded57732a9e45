import { expect, test } from 'vitest';
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

test('calls between components are counted with their errors and as long as the caller waited', () => {
  const { edges } = topologyOf([...request('t1', 0), ...request('t2', 200), ...request('t3', 400, true)], 2);
  expect(edges).toHaveLength(2);
  const edge = edges.find(({ from }) => from.id === 'shop')!;
  expect(edge).toMatchObject({ to: { type: 'service', id: 'stock' }, calls: 3, errors: 1, calls_per_minute: 1.5 });
  expect(edge.p50_ms).toBeCloseTo(60, -1);
  expect(edge.critical_share).toBeCloseTo(0.5, 2);
  expect(edge.critical).toBe(true);
});

test('who is called but sends nothing is there, marked as inferred', () => {
  const { nodes, edges } = topologyOf(request('t1', 0), 1);
  expect(nodes.map(({ component_id, inferred, calls }) => [component_id, inferred, calls])).toEqual([
    ['db.internal:5432', true, 1],
    ['shop', false, 1],
    ['stock', false, 1],
  ]);
  expect(edges.find(({ to }) => to.id === 'db.internal:5432')).toMatchObject({ from: { id: 'stock' }, calls: 1 });
});

test('a node is as healthy as the calls that it answered', () => {
  const healthy = Array.from({ length: 8 }, (_, i) => request(`h${i}`, i * 200)).flat();
  const failing = Array.from({ length: 2 }, (_, i) => request(`f${i}`, 2000 + i * 200, true)).flat();
  const { nodes } = topologyOf([...healthy, ...failing], 1);
  expect(nodes.find(({ component_id }) => component_id === 'stock')).toMatchObject({
    health_score: 80,
    status: 'degraded',
  });
  expect(nodes.find(({ component_id }) => component_id === 'shop')).toMatchObject({
    health_score: 100,
    status: 'healthy',
  });
});

test('without spans there is nothing to draw', () => {
  expect(topologyOf([], 1)).toEqual({ nodes: [], edges: [] });
});
