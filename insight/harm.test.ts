import { describe, expect, test } from 'vitest';
import type { DebugEvent } from '../model/event.ts';
import type { TemplateMinute } from '../model/rollup.ts';
import { at, errorLog, log, span, unbounded, windowOf } from '../test/support/telemetry.ts';
import { patternOf } from './event-facts.ts';
import { failureGroups, isUsual } from './harm.ts';
import { patternId } from './templates.ts';

interface Words {
  says?: boolean;
  level?: 'ERROR' | 'CRITICAL';
  took?: number;
  failed?: 'root' | 'middle' | 'own';
  kind?: string;
}

/** A front that calls the orders, which call the stock; the stock may complain. */
function request(i: number, { says = false, level = 'ERROR', took = 40, failed, kind = 'server' }: Words = {}) {
  const trace = `t${i}`;
  const ms = i * 1000;
  const name = 'GET /picture';
  return [
    span({ ms, by: 'front', trace, id: 'a', took: took + 40, failed: failed === 'root' }),
    span({ ms: ms + 10, by: 'orders', trace, id: 'b', parent: 'a', took: took + 20, failed: failed === 'middle' }),
    span({ ms: ms + 20, by: 'stock', trace, id: 'c', parent: 'b', name, kind, took, failed: failed === 'own' }),
    ...(says ? [errorLog({ ms: ms + 25, by: 'stock', trace, span: 'c', level, message: `no picture of ${i}` })] : []),
  ];
}

const enduredIn = (events: DebugEvent[]) => failureGroups(windowOf(events), unbounded).map(({ endured }) => endured);
const requests = (count: number, says: (i: number) => boolean, words: Words = {}) =>
  Array.from({ length: count }, (_, i) => request(i, says(i) ? { ...words, says: true } : {})).flat();

describe('an error is endured', () => {
  test('when those who waited for it went on, however many runs carry it', () => {
    expect(enduredIn(requests(1, () => true))).toEqual([{ runs: 1, carrying: 1 }]);
    expect(enduredIn(requests(30, (i) => i % 3 === 0))).toEqual([{ runs: 30, carrying: 10 }]);
    expect(enduredIn(requests(30, () => true))).toEqual([{ runs: 30, carrying: 30 }]);
  });

  test('without spans, when the operation ended with the words of those that went well', () => {
    const job = (i: number, says: boolean, ends = true) => [
      log({ ms: i * 1000, by: 'job', correlation: `c${i}`, message: 'begin' }),
      ...(says ? [errorLog({ ms: i * 1000 + 1, by: 'job', correlation: `c${i}`, message: 'cache is cold' })] : []),
      ...(ends ? [log({ ms: i * 1000 + 2, by: 'job', correlation: `c${i}`, message: `wrote ${i} rows` })] : []),
    ];
    const jobs = (last: boolean) => [0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) => job(i, i % 4 === 3, i < 7 || last));
    expect(enduredIn(jobs(true))).toEqual([{ runs: 8, carrying: 2 }]);
    expect(enduredIn(jobs(false))).toEqual([null]);
    expect(enduredIn(job(0, true))).toEqual([null]);
  });
});

describe('an error did harm', () => {
  test('when a span at it or above it failed, it is critical, or nobody waited for it', () => {
    for (const failed of ['root', 'middle', 'own'] as const) {
      expect(enduredIn(requests(4, (i) => i === 2, { failed }))).toEqual([null]);
    }
    expect(enduredIn(requests(4, (i) => i === 2, { level: 'CRITICAL' }))).toEqual([null]);
    expect(enduredIn(requests(4, (i) => i === 2, { kind: 'consumer' }))).toEqual([null]);
    const root = span({ ms: 0, by: 'stock', trace: 't', id: 'a', took: 50 });
    expect(enduredIn([root, errorLog({ ms: 9, by: 'stock', trace: 't', span: 'a' })])).toEqual([null]);
  });

  test('in one operation of many: then it is not excused in the others', () => {
    const failed = request(40, { says: true, failed: 'own' });
    expect(enduredIn([...requests(30, (i) => i % 3 === 0), ...failed])).toEqual([null]);
  });

  test('when those that carry it took longer than those that do not', () => {
    expect(enduredIn(requests(30, (i) => i % 3 === 0, { took: 50 }))).toMatchObject([{ runs: 30 }]);
    expect(enduredIn(requests(30, (i) => i % 3 === 0, { took: 100 }))).toEqual([null]);
  });

  test('when it began where others had gone well without it', () => {
    expect(enduredIn(requests(30, (i) => i >= 20))).toEqual([null]);
    expect(enduredIn(requests(30, (i) => i === 29))).toMatchObject([{ carrying: 1 }]);
  });
});

describe('usual', () => {
  const errors = (count: number) =>
    Array.from({ length: count }, (_, i) => errorLog({ ms: 1_200_000 + i, by: 'stock', message: 'no picture' }));
  const minute = (at_: number, count: number, template_id: string): TemplateMinute => ({
    minute: at(at_ * 60_000),
    template_id,
    component_type: 'service',
    component_id: 'stock',
    count,
    severity_max: 17,
    first_time: at(at_ * 60_000),
    last_time: at(at_ * 60_000 + 1),
    example_event_id: '',
  });
  const usual = (before: readonly number[], now: number) => {
    const events = errors(now);
    const id = patternId(patternOf(events[0]!));
    const said = before.flatMap((count, i) => [minute(i, 60, 'other'), ...(count > 0 ? [minute(i, count, id)] : [])]);
    return isUsual(
      events,
      windowOf(events, {
        scope: { tenant: 'test', start: at(1_200_000), end: at(1_260_000) },
        templateHistory: [...said, minute(20, now, id)],
      }),
    );
  };

  test('is what is as frequent as it was, and nobody knows after a few minutes', () => {
    expect(usual([5, 7, 4, 6, 5, 8, 5, 6, 4, 5, 6, 7], 7)).toBe(true);
    expect(usual([5, 7, 4, 6, 5, 8, 5, 6, 4, 5, 6, 7], 40)).toBe(false);
    expect(usual(Array(12).fill(0), 7)).toBe(false);
    expect(usual([5, 7, 4], 7)).toBeNull();
    expect(isUsual(errors(5), windowOf(errors(5)))).toBeNull();
  });
});
