import { expect, test } from 'vitest';
import type { TemplateMinute } from '../../model/rollup.ts';
import { at, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { templateChange } from './template-change.ts';

const MINUTE_MS = 60_000;
const START = 20;

function said(template_id: string, counts: readonly number[], severity_max = 9): TemplateMinute[] {
  return counts.flatMap((count, i) =>
    count === 0
      ? []
      : [
          {
            minute: at(i * MINUTE_MS),
            template_id,
            component_type: 'service',
            component_id: 'orders',
            count,
            severity_max,
            first_time: at(i * MINUTE_MS + 1),
            last_time: at(i * MINUTE_MS + 50_000),
            example_event_id: `${template_id}${i}`.padEnd(32, '0'),
          },
        ],
  );
}

function find(...templateHistory: TemplateMinute[][]) {
  const scope = { tenant: 'test', start: at(START * MINUTE_MS) };
  const window = windowOf([], {
    scope,
    templateHistory: templateHistory.flat(),
    templateTexts: new Map([['a', 'all well']]),
  });
  return templateChange.analyze(window, unbounded);
}

const steady = (count: number, minutes = START + 5) => Array<number>(minutes).fill(count);
const from = (minute: number, count: number) => [
  ...Array<number>(minute).fill(0),
  ...steady(count, START + 5 - minute),
];

test('the same as before is nothing', () => {
  expect(find(said('a', steady(10)), said('b', [...steady(3, 24), 5]))).toEqual([]);
});

test('a new template is found, graver when it is an error; one that is said once is not', () => {
  expect(find(said('a', steady(10)), said('b', from(START + 1, 4)))).toMatchObject([
    { what: 'new b', severity: 'info', evidence: { numbers: { count: 16, expected: 0 } } },
  ]);
  const [error] = find(said('a', steady(10)), said('b', from(START, 4), 17));
  expect(error).toMatchObject({ severity: 'warning' });
  expect(error!.confidence).toBeGreaterThan(0.7);
  expect(find(said('a', steady(10)), said('b', [...steady(0, START), 1]))).toEqual([]);
});

test('one who always says something new, or was hardly heard yet, says nothing by it', () => {
  const chatter = Array.from({ length: START }, (_, i) => said(`n${i}`, [...steady(0, i), 1]));
  const found = find(said('a', steady(3)), ...chatter, said('b', from(START, 4)));
  expect(found.every(({ confidence }) => confidence < 0.7)).toBe(true);
  expect(find(said('a', from(START - 5, 30)), said('b', from(START, 30)))).toEqual([]);
});

test('a steady template that falls silent is found; a rare one, or all at once, is not', () => {
  expect(find(said('b', steady(10)), said('a', steady(10, START)))).toMatchObject([
    { what: 'gone a', severity: 'info', title: 'service/orders no longer says: all well' },
  ]);
  expect(find(said('b', steady(10)), said('a', [...steady(0, 5), 1, 0, 0, 0, 1]))).toEqual([]);
  expect(find(said('a', steady(10, START)))).toEqual([]);
});

test('a surge is found, a burst as large as one before is not', () => {
  const surge = [...steady(4, START + 2), 80, 90, 70];
  expect(find(said('a', surge, 13))).toMatchObject([{ what: 'surging a' }]);
  expect(find(said('a', [...steady(4, 10), 80, ...steady(4, START - 9), 90]))).toEqual([]);
});

test('of a long window, and of one without a beginning, the last quarter of an hour is held against what came before', () => {
  const history = [said('a', steady(10, 60)), said('b', [...steady(0, 50), ...steady(4, 10)])].flat();
  const now = at(60 * MINUTE_MS);
  const found = (start?: bigint) =>
    templateChange.analyze(
      windowOf([], { scope: { tenant: 'test', ...(start !== undefined && { start }) }, templateHistory: history, now }),
      unbounded,
    );
  expect(found()).toMatchObject([{ what: 'new b' }]);
  expect(found(at(0))).toMatchObject([{ what: 'new b' }]);
  expect(found(at(40 * MINUTE_MS))).toMatchObject([{ what: 'new b' }]);
  expect(found(at(56 * MINUTE_MS))).toEqual([]);
});
