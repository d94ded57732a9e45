import fc from 'fast-check';
import { expect, test } from 'vitest';
import { errorLog, unbounded, windowOf } from '../test/support/telemetry.ts';
import { flow } from './analyzers/flow.ts';
import {
  confidenceOf,
  fingerprintOf,
  insightId,
  marginSignal,
  mergeInsight,
  sampleSignal,
  toInsight,
} from './finding.ts';

test('confidence: more signals make surer, less coverage less sure, always 0 to 0.99', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.array(share, { maxLength: 5 }), share, share, (signals, one, coverage) => {
      const confidence = confidenceOf(signals, coverage);
      expect(confidence).toBeGreaterThanOrEqual(0);
      expect(confidence).toBeLessThanOrEqual(0.99);
      expect(confidenceOf([...signals, one], coverage)).toBeGreaterThanOrEqual(confidence);
      expect(confidenceOf(signals, 1)).toBeGreaterThanOrEqual(confidence);
    }),
  );
  expect(sampleSignal(10, 10)).toBe(0.5);
  expect(marginSignal(10, 5)).toBe(0.5);
  expect(marginSignal(4, 5)).toBe(0);
});

test('an insight keeps to its lengths and has its id from its fingerprint', () => {
  const [finding] = flow.analyze(
    windowOf([errorLog({ ms: 0, by: 'a', correlation: 'c', message: `${'long '.repeat(200)}\nsecond line` })]),
    unbounded,
  );
  const insight = toInsight(finding!, fingerprintOf(finding!), [], 1n, 2n);
  expect(insight.title.length).toBeLessThanOrEqual(200);
  expect(insight.summary.length).toBeLessThanOrEqual(500);
  expect(insight.summary).not.toContain('\n');
  expect(insight.id).toBe(insightId(insight.fingerprint));
  expect(insight.id).toMatch(/^[0-9a-f]{32}$/);
});

test('merging is the same in any order of two looks that overlap', () => {
  const look = (...ms: number[]) => {
    const [finding] = flow.analyze(
      windowOf(ms.map((at) => errorLog({ ms: at, by: 'a', correlation: `c${at}`, message: 'x' }))),
      unbounded,
    );
    return { finding: finding!, insight: toInsight(finding!, fingerprintOf(finding!), [], 10n, 10n ** 18n * 2n) };
  };
  const [early, late] = [look(1, 2, 3), look(2, 3, 4, 5)];
  expect(mergeInsight(early.insight, late.insight, late.finding.times)).toMatchObject({ occurrences: 5 });
  expect(mergeInsight(early.insight, early.insight, early.finding.times)).toBeNull();
});

test('a later look at all that an earlier one saw corrects how grave it is, one at a part of it does not', () => {
  const [finding] = flow.analyze(
    windowOf([1, 2, 3].map((ms) => errorLog({ ms, by: 'a', correlation: `c${ms}`, message: 'x' }))),
    unbounded,
  );
  const insight = toInsight(finding!, fingerprintOf(finding!), [], 10n, 10n ** 18n * 2n);
  const mild = { ...insight, severity: 'info' as const, confidence_score: 0.8 };
  expect(mergeInsight(insight, mild, finding!.times)).toMatchObject({ severity: 'info', confidence_score: 0.8 });
  const part = { ...mild, first_seen: insight.last_seen, occurrences: 1 };
  expect(mergeInsight(insight, part, [insight.last_seen])).toBeNull();
  expect(mergeInsight(mild, insight, finding!.times)).toMatchObject({ severity: 'critical' });
});
