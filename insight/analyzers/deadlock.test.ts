import { describe, expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { at, errorLog, log, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { deadlock } from './deadlock.ts';

const find = (events: DebugEvent[]) => deadlock.analyze(windowOf(events), unbounded);
const says = (ms: number, operation: string, message: string, data = {}) =>
  log({ ms, by: `worker-${operation}`, correlation: operation, operation, message, data });

describe('25: operations that wait for each other', () => {
  test('two that say so are a deadlock that names both, once', () => {
    const findings = find([
      says(0, 'op-1', 'begin'),
      says(0, 'op-2', 'begin'),
      says(1000, 'op-1', 'blocked', { waiting_for: 'op-2' }),
      says(2000, 'op-2', 'blocked', { waiting_for: 'op-1' }),
    ]);
    expect(findings).toMatchObject([{ insight_type: 'flow', severity: 'critical' }]);
    expect(findings[0]!.title).toContain('op-1');
    expect(findings[0]!.title).toContain('op-2');
    expect(findings[0]!.components).toHaveLength(2);
    expect(findings[0]!.confidence).toBeGreaterThan(0.7);
  });

  test('through what each holds of the other, in words, in spans, and in a circle of three', () => {
    const locks = find([
      says(0, 'a', 'took it', { holds: 'row/1' }),
      says(1, 'b', 'took it', { holds: 'row/2' }),
      says(10, 'a', 'needs more', { waiting_for: 'row/2' }),
      says(20, 'b', 'needs more', { waiting_for: 'row/1' }),
    ]);
    expect(locks).toMatchObject([{ evidence: { numbers: { waits: [{ resource: 'row/2' }, { resource: 'row/1' }] } } }]);
    expect(find([says(0, 'op-1', 'waiting for op-2'), says(1, 'op-2', 'is blocked by operation "op-1"')])).toHaveLength(
      1,
    );
    const waits = (id: string, by: string, operation: string, waiting_for: string) =>
      span({ ms: 0, by, trace: id, id, operation, took: 9000, failed: true, data: { waiting_for } });
    expect(find([waits('s1', 'x', 'op-1', 'op-2'), waits('s2', 'y', 'op-2', 'op-1')])).toHaveLength(1);
    expect(
      find(['a', 'b', 'c'].map((each, i) => says(i, each, 'blocked', { blocked_by: ['b', 'c', 'a'][i]! }))),
    ).toHaveLength(1);
  });

  test('of a lock that the words say is held, and of components within one operation', () => {
    const held = find([
      says(0, 'op-1', 'waiting for lock L2 held by op-2'),
      says(1, 'op-2', 'waits on L1, owned by op-1'),
    ]);
    expect(held).toHaveLength(1);
    const one = (ms: number, by: string, waiting_for: string) =>
      log({ ms, by, correlation: 'checkout', message: 'blocked', data: { waiting_for } });
    const [found, ...others] = find([one(0, 'orders', 'stock'), one(5, 'stock', 'orders')]);
    expect(others).toEqual([]);
    expect(found!.components.map(({ id }) => id).sort()).toEqual(['orders', 'stock']);
    expect(find([one(0, 'orders', 'stock'), one(5, 'stock', 'pricing'), one(9, 'pricing', 'nobody')])).toEqual([]);
  });

  test('a circle that is still closed counts at once, one that was open again within a second does not', () => {
    const circle = [
      says(0, 'op-1', 'blocked', { waiting_for: 'op-2' }),
      says(1, 'op-2', 'blocked', { waiting_for: 'op-1' }),
    ];
    expect(deadlock.analyze(windowOf(circle, { now: at(2) }), unbounded)).toHaveLength(1);
    const open = says(500, 'op-1', 'got it');
    expect(deadlock.analyze(windowOf([...circle, open], { now: at(600) }), unbounded)).toEqual([]);
  });

  test('one that gave up had been in it', () => {
    const findings = find([
      says(0, 'op-1', 'blocked', { waiting_for: 'op-2' }),
      says(10, 'op-2', 'blocked', { waiting_for: 'op-1' }),
      errorLog({ ms: 9000, by: 'worker-op-1', correlation: 'op-1', operation: 'op-1', message: 'lock wait timeout' }),
      says(9100, 'op-2', 'got it'),
    ]);
    expect(findings).toMatchObject([{ evidence: { numbers: { duration_seconds: 9 } } }]);
  });

  test('quiet: a long healthy operation, a queue, waiting in turn, names that nobody has', () => {
    expect(find(Array.from({ length: 50 }, (_, i) => says(i * 10_000, 'op-1', `step ${i}`)))).toEqual([]);
    expect(
      find([says(0, 'a', 'x', { waiting_for: 'b' }), says(1, 'b', 'x', { waiting_for: 'c' }), says(2, 'c', 'busy')]),
    ).toEqual([]);
    expect(
      find([
        says(0, 'op-1', 'blocked', { waiting_for: 'op-2' }),
        says(2000, 'op-2', 'done'),
        says(2001, 'op-1', 'goes on'),
        says(5000, 'op-2', 'blocked', { waiting_for: 'op-1' }),
        says(9000, 'op-2', 'goes on'),
      ]),
    ).toEqual([]);
    expect(find([says(0, 'a', 'waiting for connections'), says(1, 'b', 'waiting for messages')])).toEqual([]);
  });
});
