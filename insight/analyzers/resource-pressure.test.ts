import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import { gauge, log, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { resourcePressure } from './resource-pressure.ts';

const find = (events: DebugEvent[], metrics: DebugEvent[] = []) =>
  resourcePressure.analyze(windowOf(events, { metrics }), unbounded);
const told = (data: JsonObject[], by = 'api') => data.map((each, i) => log({ ms: i * 1000, by, data: each }));
const points = (metric: string, values: number[], dimensions: JsonObject = {}, by = 'db') =>
  values.map((value, i) => gauge({ ms: i * 60_000, by, metric, value, dimensions }));

test('29: CPU at 90 and 85 is high, 30 is not, and one odd id does not suppress others', () => {
  const findings = find([
    ...told([{ cpu_usage: 90 }, { cpu_usage: 85 }]),
    ...told([{ cpu_usage: 30 }, { cpu_usage: 30 }], 'calm'),
  ]);
  expect(findings).toMatchObject([
    { severity: 'warning', where: { id: 'api' }, evidence: { numbers: { average_percent: 87.5, max_percent: 90 } } },
  ]);
  expect(findings[0]!.confidence).toBeGreaterThan(0.7);
  const odd = told([{ cpu_usage: 'high' }, { cpu_usage: null }, { cpu_usage: 99 }], '');
  expect(find([...odd, ...told([{ memory_usage: 91 }, { memory_usage: 92 }])])).toMatchObject([
    { where: { id: 'api' } },
  ]);
});

test('29: shares and percents of metrics, on the node that has it', () => {
  expect(find([], points('container.memory.utilization', [0.9, 0.93, 0.95], {}, 'db@n2'))).toMatchObject([
    { where: { id: 'db' }, evidence: { numbers: { node: 'n2' } } },
  ]);
});

test('busy states are summed, cores are averaged, and what is idle or a cache is free', () => {
  const cpu = (state: string, values: number[], core = '0') =>
    points('system.cpu.utilization', values, { state, cpu: core });
  expect(
    find([], [...cpu('user', [0.6, 0.6]), ...cpu('system', [0.3, 0.3]), ...cpu('idle', [0.1, 0.1])]),
  ).toMatchObject([{ evidence: { numbers: { average_percent: 90 } } }]);
  expect(find([], [...cpu('user', [0.1, 0.1]), ...cpu('idle', [0.9, 0.9])])).toEqual([]);
  expect(find([], [...cpu('user', [1, 1]), ...cpu('user', [0, 0], '1')])).toEqual([]);
  const memory = (state: string, value: number) => points('system.memory.utilization', [value, value], { state });
  expect(find([], [...memory('used', 0.3), ...memory('cached', 0.65)])).toEqual([]);
});

test('amounts of which the end is known: by state, and by a limit beside them, pools together; without an end they tell nothing', () => {
  const amounts = (...told: [metric: string, bytes: number, dimensions?: JsonObject][]) => {
    const metricPoints = told.flatMap(([metric, bytes, dimensions = {}]) =>
      [0, 1, 2].map((i) => gauge({ ms: i * 60_000, by: 'db', metric, value: bytes, unit: 'By', dimensions })),
    );
    return resourcePressure.analyze(windowOf([], { metricPoints }), unbounded);
  };
  const memory = (state: string, bytes: number): [string, number, JsonObject] => [
    'system.memory.usage',
    bytes,
    { state },
  ];
  expect(amounts(memory('used', 9), memory('free', 1))).toMatchObject([
    { evidence: { numbers: { resource: 'system.memory.usage', average_percent: 90 } } },
  ]);
  expect(amounts(memory('used', 5), memory('cached', 4), memory('free', 1))).toEqual([]);
  expect(amounts(['container.memory.usage', 95], ['container.memory.limit', 100])).toMatchObject([
    { evidence: { numbers: { average_percent: 95 } } },
  ]);
  const pool = (metric: string, bytes: number, name: string): [string, number, JsonObject] => [
    metric,
    bytes,
    { pool: name },
  ];
  const full = pool('jvm.memory.used', 10, 'eden');
  const pools = [full, pool('jvm.memory.limit', 10, 'eden'), pool('jvm.memory.limit', 90, 'old')];
  expect(amounts(...pools, pool('jvm.memory.used', 20, 'old'))).toEqual([]);
  expect(amounts(...pools, pool('jvm.memory.used', 80, 'old'))).toMatchObject([{ severity: 'warning' }]);
  expect(amounts(['container.memory.usage', 95], ['process.memory.usage', 100])).toEqual([]);
});

test('quiet: one short peak', () => {
  expect(find([], points('process.cpu.utilization', [0.1, 0.99, 0.1, 0.1]))).toEqual([]);
});
