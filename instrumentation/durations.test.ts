import { expect, it } from 'vitest';
import { Durations } from './durations.ts';

it('is a histogram a series, in the buckets of the conventions', async () => {
  const durations = new Durations({ name: 'test' }, false);
  const record = durations.histogram('http.server.request.duration', 'Duration of HTTP server requests.');
  for (const seconds of [0.001, 0.005, 0.3, 60]) record(seconds, 'GET 200', () => ({ method: 'GET' }));
  record(1, 'POST 200', () => ({ method: 'POST' }));
  const [get, post] = await points(durations);
  expect(get).toMatchObject({ attributes: { method: 'GET' }, value: { count: 4, min: 0.001, max: 60 } });
  expect(get!.value.buckets.counts).toEqual([2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
  expect(post).toMatchObject({ attributes: { method: 'POST' }, value: { count: 1, sum: 1 } });
  expect((await points(durations))[0]!.value.count).toBe(4);
});

it('starts again after each reading where differences are wanted', async () => {
  const durations = new Durations({ name: 'test' }, true);
  const record = durations.histogram('d', '');
  record(1, 'a', () => ({}));
  expect(await points(durations)).toHaveLength(1);
  expect(await points(durations)).toEqual([]);
});

it('counts what is beyond 2,000 series as overflow', async () => {
  const durations = new Durations({ name: 'test' }, false);
  const record = durations.histogram('d', '');
  for (let i = 0; i < 2010; i++) record(1, `${i}`, () => ({ i }));
  const all = await points(durations);
  expect(all).toHaveLength(2001);
  expect(all.at(-1)).toMatchObject({ attributes: { 'otel.metric.overflow': true }, value: { count: 10 } });
});

// biome-ignore lint/suspicious/noExplicitAny: data points of one kind
async function points(durations: Durations): Promise<any[]> {
  const { resourceMetrics } = await durations.collect();
  return resourceMetrics.scopeMetrics[0]?.metrics[0]?.dataPoints ?? [];
}
