import { expect, it } from 'vitest';
import { Durations } from './durations.ts';

it('is a histogram a series, in the buckets of the conventions', async () => {
  const durations = new Durations({ name: 'test' }, false);
  const histogram = durations.histogram('http.server.request.duration', '', ['method', 'error', 'status']);
  for (const seconds of [0.001, 0.005, 0.3, 60]) histogram.record(seconds, ['GET', undefined, 200]);
  histogram.record(1, ['POST', undefined, 200]);
  histogram.record(2, ['GET', 'aborted', 200]);
  histogram.record(3, ['GET', undefined, 404]);
  const [get, post, aborted, unknown] = await points(durations);
  expect(get).toMatchObject({ value: { count: 4, min: 0.001, max: 60 } });
  expect([get, post, aborted, unknown].map(({ attributes }) => attributes)).toEqual([
    { method: 'GET', status: 200 },
    { method: 'POST', status: 200 },
    { method: 'GET', error: 'aborted', status: 200 },
    { method: 'GET', status: 404 },
  ]);
  expect(get!.value.buckets.counts).toEqual([2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
  expect(post).toMatchObject({ value: { count: 1, sum: 1 } });
  expect((await points(durations))[0]!.value.count).toBe(4);
});

it('starts again after each reading where differences are wanted', async () => {
  const durations = new Durations({ name: 'test' }, true);
  const histogram = durations.histogram('d', '', ['i']);
  histogram.record(1, ['a']);
  expect(await points(durations)).toHaveLength(1);
  expect(await points(durations)).toEqual([]);
});

it('counts what is beyond 2,000 series as overflow', async () => {
  const durations = new Durations({ name: 'test' }, false);
  const histogram = durations.histogram('d', '', ['i']);
  for (let i = 0; i < 2010; i++) histogram.record(1, [i]);
  const all = await points(durations);
  expect(all).toHaveLength(2001);
  expect(all.at(-1)).toMatchObject({ attributes: { 'otel.metric.overflow': true }, value: { count: 10 } });
});

// biome-ignore lint/suspicious/noExplicitAny: data points of one kind
async function points(durations: Durations): Promise<any[]> {
  const { resourceMetrics } = await durations.collect();
  return resourceMetrics.scopeMetrics[0]?.metrics[0]?.dataPoints ?? [];
}
