/** Error patterns and templates. */
import { describe, expect, test } from 'vitest';
import { api, event, post } from './shared.ts';

describe('patterns', () => {
  const patterns = async (window: string) => (await api.get(`/analytics/error-patterns?${window}`)).body.data;

  test('count equal errors, and those without a word', async () => {
    const at = (second: number) => `2026-11-19T10:00:0${second}Z`;
    await post({ component_id: 'p-1', level: 'ERROR', message: 'disk is full', timestamp: at(1) });
    await post({ component_id: 'p-2', level: 'CRITICAL', message: 'disk is full', timestamp: at(5) });
    await post({ component_id: 'p-1', level: 'INFO', message: 'all is well', timestamp: at(2) });
    const last = await post({ component_id: 'p-1', level: 'ERROR', message: null, timestamp: at(3) });
    const found = await patterns(`start=${at(0)}&end=${at(9)}`);
    expect(found).toMatchObject([
      {
        template: 'disk is full',
        count: 2,
        level: 'CRITICAL',
        components: expect.arrayContaining([
          { type: 'agent', id: 'p-1' },
          { type: 'agent', id: 'p-2' },
        ]),
        first_seen: '2026-11-19T10:00:01.000000000Z',
        last_seen: '2026-11-19T10:00:05.000000000Z',
        new: true,
        trend: 'steady',
      },
      { template_id: null, template: null, count: 1, example_event_id: last },
    ]);
    const templates = (await api.get(`/templates?start=${at(0)}&end=${at(9)}`)).body.data;
    expect(templates.map((each: { template: string }) => each.template)).toEqual(['disk is full', 'all is well']);
  });

  test('count errors without a word, however many there are', async () => {
    const at = (second: number) => `2026-11-16T10:00:${String(second).padStart(2, '0')}Z`;
    for (let i = 0; i < 20; i++) await post({ component_id: 'mute', level: 'ERROR', message: null, timestamp: at(i) });
    expect(await patterns(`start=${at(0)}&end=${at(30)}`)).toMatchObject([{ template_id: null, count: 20 }]);
  });

  test('that were there the day before are not new, and a surge is rising', async () => {
    const message = 'pattern with a past';
    await post({ level: 'ERROR', message, timestamp: '2026-11-17T10:00:00Z' });
    const events = Array.from({ length: 12 }, (_, i) =>
      event({ level: 'ERROR', message, timestamp: `2026-11-18T09:5${i < 1 ? 0 : 9}:00Z` }),
    );
    await api.post('/events/batch', { events });
    const [found] = await patterns('start=2026-11-18T09:50:00Z&end=2026-11-18T10:00:00Z');
    expect(found).toMatchObject({ template: message, count: 12, new: false, trend: 'rising' });
  });
});

test('a pattern finds what it matches, in linear time', async () => {
  const message = `retry ${'a'.repeat(200)}! of parcel 4711`;
  const of = { event_type: 'log', component_type: 'agent', component_id: 'patterns', correlation_id: 'patterns' };
  await api.post('/events', { ...of, message });
  const find = (regex: string) => api.get(`/events?component_id=patterns&regex=${encodeURIComponent(regex)}`);
  expect((await find('parcel \\d{4}$')).body.data).toMatchObject([{ message }]);
  expect((await find('(?i)PARCEL')).body.meta.count).toBe(1);
  expect((await find('(a+)+$')).body.meta.count).toBe(0);
  for (const regex of ['(', '(?=a)', 'a*']) expect(await find(regex)).toMatchObject({ status: 400 });
});
