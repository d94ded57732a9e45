/** Health, rates and throughput. */
import { describe, expect, test } from 'vitest';
import type { Insight } from '../../../model/insight.ts';
import { api, event, fresh, post, putInsight } from './shared.ts';

describe('health', () => {
  const health = async (component_id: string, more: object = {}) =>
    (await api.post('/analytics/component-health', { component_type: 'agent', component_id, ...more })).body.data;
  const seed = async (component_id: string, total: number, errors: number, more: object = {}) => {
    const events = Array.from({ length: total }, (_, i) =>
      event({ component_id, level: i < errors ? 'ERROR' : 'INFO', ...more }),
    );
    await api.post('/events/batch', { events });
  };

  test.each([
    [20, 1, 95, 'healthy'],
    [20, 6, 70, 'degraded'],
    [3, 2, 33.33, 'unhealthy'],
    [10, 10, 0, 'unhealthy'],
  ])('of %i events with %i errors is %d, %s', async (total, errors, health_score, status) => {
    const id = fresh('agent');
    await seed(id, total, errors);
    expect(await health(id)).toMatchObject({ health_score, status, total_events: total, error_events: errors });
  });

  test('of nothing is unknown, not healthy', async () => {
    expect(await health('nobody')).toMatchObject({
      status: 'unknown',
      health_score: null,
      total_events: 0,
      error_rate: null,
    });
  });

  test('changes with the next error', async () => {
    const id = fresh('agent');
    await seed(id, 9, 0);
    expect(await health(id)).toMatchObject({ health_score: 100 });
    await post({ component_id: id, level: 'CRITICAL' });
    expect(await health(id)).toMatchObject({ health_score: 90, error_events: 1 });
  });

  test('counts to the nanosecond at the edges of its window', async () => {
    const id = fresh('agent');
    const times = ['10:00:30', '10:00:59', '10:01:00', '10:03:00', '10:03:29', '10:03:31'];
    for (const time of times) await post({ component_id: id, timestamp: `2026-11-22T${time}Z` });
    const total = async (start: string, end: string) =>
      (await health(id, { start: `2026-11-22T${start}Z`, end: `2026-11-22T${end}Z` })).total_events;
    expect(await total('10:00:00', '10:04:00')).toBe(6);
    expect(await total('10:00:30', '10:03:29')).toBe(5);
    expect(await total('10:00:30.000000001', '10:03:30')).toBe(4);
    expect(await total('10:00:59', '10:00:59')).toBe(1);
    expect(await total('10:01:00', '10:02:59.999999999')).toBe(1);
    expect(await total('10:00:40', '10:01:10')).toBe(2);
  });

  test('is of the component alone, and lists its own insights', async () => {
    const [mine, other] = [fresh('agent'), fresh('agent')];
    await seed(mine, 5, 0);
    await seed(other, 5, 5);
    await putInsight({ affected_components: [{ type: 'agent', id: mine }], title: 'mine' });
    await putInsight({ affected_components: [{ type: 'agent', id: other }], title: 'not mine' });
    await putInsight({ affected_components: [{ type: 'agent', id: mine }], title: 'done', state: 'resolved' });
    const answer = await health(mine);
    expect(answer.health_score).toBe(100);
    expect(answer.insights.map((insight: Insight) => insight.title)).toEqual(['mine']);
  });

  test('of everything is told by type and by component, the worst first', async () => {
    const { body } = await api.get('/analytics/system-health');
    const scores = body.data.by_component.map((each: { health_score: number }) => each.health_score);
    expect(scores).toEqual(scores.toSorted((a: number, b: number) => a - b));
    expect(body.data.components.agent.total_events).toBeGreaterThan(0);
    expect(body.data.total_events).toBeGreaterThanOrEqual(body.data.components.agent.total_events);
  });

  test('of a window without events is unknown', async () => {
    const { body } = await api.get('/analytics/system-health?start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z');
    expect(body.data).toMatchObject({ overall_health_score: null, status: 'unknown', components: {} });
  });

  test('error rates are ranked by what they are at least: one error of one says less than nine of ten', async () => {
    const start = '2026-11-18T10:00:00Z';
    const seedAt = async (component_id: string, total: number, errors: number) => {
      for (let i = 0; i < total; i++)
        await post({ component_id, timestamp: start, level: i < errors ? 'ERROR' : 'INFO', message: `m${i}` });
    };
    await seedAt('rate-few', 1, 1);
    await seedAt('rate-many', 10, 9);
    await seedAt('rate-none', 3, 0);
    const { body } = await api.get(`/analytics/error-rate?start=${start}&end=2026-11-18T11:00:00Z`);
    const rates = body.data.error_rates as { component_id: string; error_rate: number }[];
    expect(rates.map(({ component_id, error_rate }) => [component_id, error_rate])).toEqual([
      ['rate-many', 0.9],
      ['rate-few', 1],
      ['rate-none', 0],
    ]);
  });

  test('throughput divides by the window', async () => {
    const start = '2026-11-20T10:00:00Z';
    for (let i = 0; i < 4; i++) await post({ component_type: 'throughput-test', timestamp: start });
    const { body } = await api.get(`/analytics/throughput?start=${start}&end=2026-11-20T11:00:00Z`);
    expect(body.data.throughput_by_component['throughput-test']).toEqual({
      total_events: 4,
      events_per_minute: 4 / 60,
    });
  });
});
