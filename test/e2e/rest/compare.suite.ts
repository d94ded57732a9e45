/** What separates components, operations and windows. */
import { describe, expect, test } from 'vitest';
import { api, event, fresh, post } from './shared.ts';

describe('compare', () => {
  test('remarks on gaps, and ranks what separates', async () => {
    const [good, bad] = [fresh('agent'), fresh('agent')];
    const events = Array.from({ length: 60 }, (_, i) =>
      event({
        component_id: i % 2 === 0 ? good : bad,
        level: i % 2 === 1 && i % 4 === 1 ? 'ERROR' : 'INFO',
        data: { version: i % 2 === 0 ? '1.0' : '1.1', region: 'eu' },
      }),
    );
    await api.post('/events/batch', { events });
    const { body } = await api.post('/analytics/compare', {
      components: [
        { type: 'agent', id: good },
        { type: 'agent', id: bad },
      ],
    });
    expect(body.data.sides).toMatchObject([{ health_score: 100 }, { health_score: 50 }]);
    expect(body.data.remarks.join('\n')).toMatch(
      new RegExp(`agent/${bad} is 50 points less healthy .*\n.*error rate of 0.5`),
    );
    const names = body.data.differences.map((each: { name: string; value: string }) => `${each.name}=${each.value}`);
    expect(names).toEqual(expect.arrayContaining(['version=1.0', 'version=1.1']));
    expect(names.join()).not.toContain('region');
  });

  test('of equals remarks nothing', async () => {
    const [a, b] = [fresh('op'), fresh('op')];
    await post({ operation_id: a });
    await post({ operation_id: b });
    const { body } = await api.post('/analytics/compare', { operations: [a, b] });
    expect(body).toMatchObject({ data: { remarks: [], differences: [] } });
    expect(await api.post('/analytics/compare', { operations: [a, 'nothing'] })).toMatchObject({
      status: 404,
      body: { code: 'OPERATION_NOT_FOUND' },
    });
  });

  test('of windows takes two', async () => {
    const window = (hour: number) => ({ start: `2026-11-19T${hour}:00:00Z`, end: `2026-11-19T${hour + 1}:00:00Z` });
    const { body } = await api.post('/analytics/compare', { windows: [window(10), window(12)] });
    expect(body.data.sides).toMatchObject([{ total_events: 4 }, { total_events: 0, status: 'unknown' }]);
    expect(body.data.remarks[0]).toContain('no events');
  });
});
