import { describe, expect, it } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { keptShare, seenOf } from './seen.ts';

const event = (more: Partial<DebugEvent> = {}) =>
  ({
    component_type: 'service',
    component_id: 'orders',
    node_id: 'orders-1',
    data: {},
    timestamp: '2026-11-30T10:00:00.000000000Z',
    received_at: '2026-11-30T10:00:01.000000000Z',
    ...more,
  }) as DebugEvent;
const span = (trace_state?: string) => ({ kind: 'server', events: [], links: [], trace_state }) as never;

describe('what a sample shows to be missing', () => {
  it('is nothing where nothing is', () => {
    expect(seenOf([event(), event()])).toEqual([]);
    expect(seenOf([])).toEqual([]);
  });

  it.each([
    ['ot=th:8', 0.5],
    ['ot=rv:6e6d1a75832a2f;th:c', 0.25],
    ['vendor=1,ot=th:fd70a4', 0.01],
    ['ot=th:0', 1],
    ['other=th:8', null],
  ])('the tracestate %s keeps %s', (state, share) => {
    const kept = keptShare({ data: {}, span: span(state) });
    if (share === null) expect(kept).toBeNull();
    else expect(kept).toBeCloseTo(share, 4);
  });

  it.each([
    [{ 'sampling.probability': 0.1 }, '1 in 10'],
    [{ SampleRate: 20 }, '1 in 20'],
    [{ 'sampler.param': '0.8' }, '80%'],
  ])('%o is said', (data, words) => {
    expect(seenOf([event({ data })]).join()).toContain(`sampled: senders keep about ${words}`);
  });

  it('parts that were left out are counted', () => {
    const short = event({ dropped_attributes_count: 3 });
    expect(seenOf([short, event()])).toEqual([
      'dropped: 1 of 2 records looked at are short of 3 parts (attributes, events or links) beyond a limit',
    ]);
  });

  it('a record over a minute after its time is late; a span is timed from its end', () => {
    const late = event({ received_at: '2026-11-30T10:05:00.000000000Z' });
    expect(seenOf([late, event()])[0]).toMatch(/^late: 1 of 2 records .* up to 5 min/);
    expect(seenOf([{ ...late, span: span(), duration_ms: 299_000 }])).toEqual([]);
  });

  it('a record before its time shows a clock that runs ahead, and whose', () => {
    const ahead = event({ received_at: '2026-11-30T09:59:56.000000000Z' });
    expect(seenOf([ahead])).toEqual(['clock skew: orders-1 up to 4s ahead of the receiver']);
  });

  it('who only logs among others that are traced is not instrumented for traces', () => {
    const traced = event({ span: span(), component_id: 'front' });
    expect(seenOf([traced, event()])[0]).toMatch(/^no spans of orders among them/);
    expect(seenOf([event()])).toEqual([]);
  });
});
