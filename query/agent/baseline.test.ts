import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatNanos } from '../../model/time.ts';
import { createApiClient } from '../../test/support/api-client.ts';
import { type QuerySystem, startQuerySystem } from '../../test/support/query-system.ts';
import { baselineOf } from './baseline.ts';

const TENANT = 'default';
let system: QuerySystem;
let nowNanos: bigint;

/** RFC 3339, minutes before now. */
const ago = (minutes: number) => formatNanos(nowNanos - BigInt(Math.round(minutes * 60)) * 1_000_000_000n);
const HOURS = () => ({ before: { start: ago(120), end: ago(60) }, now: { start: ago(60), end: ago(0) } });

beforeAll(async () => {
  system = await startQuerySystem();
  nowNanos = system.needs.clock.nowNanos();
  const api = await createApiClient(system.url);
  const heard = { steady: [110, 90, 50, 10], fresh: [40, 30, 20, 10], once: [10], past: [100] };
  const events = Object.entries(heard).flatMap(([component_id, minutes]) =>
    minutes.map((each) => ({
      event_type: 'log',
      component_type: 'service',
      component_id,
      correlation_id: `${component_id}-${each}`,
      timestamp: ago(each),
    })),
  );
  const failures = [19, 18, 17, 16, 15, 14].map((minutes) => ({
    event_type: 'error',
    level: 'ERROR',
    message: 'disk is full',
    component_type: 'service',
    component_id: 'broken',
    correlation_id: `broken-${minutes}`,
    timestamp: ago(minutes),
  }));
  const well = [55, 45, 35, 25].map((minutes) => ({
    event_type: 'log',
    component_type: 'service',
    component_id: 'broken',
    correlation_id: `broken-${minutes}`,
    timestamp: ago(minutes),
  }));
  expect((await api.post('/events/batch', { events: [...events, ...well, ...failures] })).status).toBe(201);
  const found = await api.post('/insights/generate', { component_type: 'service', component_id: 'broken' });
  expect(found.body.data.length).toBeGreaterThan(0);
});
afterAll(() => system?.stop());

const of = (component_id: string) =>
  baselineOf(system.service, TENANT, HOURS(), { component_type: 'service', component_id });

describe('what now is held against', () => {
  it('is the time before, where that has data', async () => {
    expect(await of('steady')).toEqual({ ...HOURS(), note: null });
  });

  it('is the older half of what there is, where the time before has none, and that is said', async () => {
    const { before, now, note } = await of('fresh');
    expect(before.start < ago(38) && before.start >= ago(60)).toBe(true);
    expect(before.end < now.start).toBe(true);
    expect(now.end).toBe(ago(10));
    // Forty and thirty minutes ago lie in the older half, twenty and ten in the newer.
    expect(before.end > ago(31) && now.start < ago(20)).toBe(true);
    expect(note).toMatch(/there is no data to compare with, so the older half/);
  });

  it('is what there is until what is wrong now was first seen, where that is known', async () => {
    const { before, now, note } = await of('broken');
    expect(now.start).toBe(ago(19));
    expect(before.end < ago(19) && before.start > ago(60)).toBe(true);
    expect(note).toMatch(/until «.+» was first seen/);
  });

  it('stays as it is where nothing can stand in: a single moment, nothing now, nothing at all', async () => {
    for (const component of ['once', 'past', 'nobody']) expect(await of(component)).toEqual({ ...HOURS(), note: null });
  });
});
