import { describe, expect, test } from 'vitest';
import type { DebugEvent, Level } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import { formatNanos } from '../model/time.ts';
import { progressOf } from './progress.ts';

const T0 = 1_790_000_000_000_000_000n;
const at = (seconds: number) => formatNanos(T0 + BigInt(seconds) * 1_000_000_000n);

const event = (seconds: number, data: JsonObject, level: Level | null = 'INFO', component_id = 'agent-1') =>
  ({ timestamp: at(seconds), data, level, component_type: 'agent', component_id, trace_id: null }) as DebugEvent;

const span = (trace: string, id: string, parent: string | null, start: number, end: number, failed = false) =>
  ({
    ...event(start, {}, failed ? 'ERROR' : 'INFO', 'front'),
    trace_id: trace,
    span_id: id,
    parent_span_id: parent,
    name: id,
    span: { end_timestamp: at(end) },
  }) as DebugEvent;

describe('progress', () => {
  test('of nothing is not_found', () => {
    expect(progressOf([])).toMatchObject({ status: 'not_found', progress: 0, steps: [], started_at: null });
  });

  test('of notes alone is started', () => {
    expect(progressOf([event(0, {}), event(1, { note: 'x' })])).toMatchObject({
      status: 'started',
      progress: 0,
      total_steps: 0,
      started_at: at(0),
      updated_at: at(1),
    });
  });

  test('two completed steps are all of it', () => {
    const both = [event(0, { step: 1, status: 'completed' }), event(1, { step: 2, progress: 1 })];
    expect(progressOf(both)).toMatchObject({ status: 'completed', progress: 1, total_steps: 2, completed_steps: 2 });
  });

  test('one done and one half done is 0.75', () => {
    const both = [event(0, { step: 'a', status: 'completed' }), event(1, { step: 'b', progress: 0.5 })];
    expect(progressOf(both)).toMatchObject({ status: 'in_progress', progress: 0.75, completed_steps: 1 });
  });

  test('0.65 stays 0.65, and 7 is 1', () => {
    expect(progressOf([event(0, { progress: 0.65 })])).toMatchObject({ status: 'in_progress', progress: 0.65 });
    expect(progressOf([event(0, { progress: 7 })])).toMatchObject({ status: 'completed', progress: 1 });
    expect(progressOf([event(0, { progress: -1 })]).progress).toBe(0);
  });

  test('the latest report of a step counts, in whatever order they come', () => {
    const reports = [event(2, { progress: 0.8 }), event(0, { progress: 0.5 }), event(1, { progress: 0.6 })];
    expect(progressOf(reports).progress).toBe(0.8);
    expect(progressOf([event(0, { step: 'a', progress: 0.4 }), event(1, { step: 'a' })]).progress).toBe(0.4);
  });

  test('a step that has only been named is at 0', () => {
    expect(progressOf([event(0, { step: 'a', status: 'completed' }), event(1, { step: 'b' })]).progress).toBe(0.5);
  });

  test('reports that name no step are told apart by component', () => {
    const reports = [event(0, { progress: 1 }, 'INFO', 'x'), event(1, { progress: 0.5 }, 'INFO', 'y')];
    expect(progressOf(reports)).toMatchObject({ progress: 0.75, total_steps: 2 });
  });
});

describe('failure', () => {
  test('an error that nothing follows fails the operation', () => {
    const reports = [event(0, { step: 1, status: 'completed' }), event(1, { step: 2 }, 'ERROR')];
    expect(progressOf(reports)).toMatchObject({ status: 'failed', error_count: 1, progress: 0.5 });
    expect(progressOf(reports).steps.map((step) => step.status)).toEqual(['completed', 'failed']);
    expect(progressOf([event(0, {}, 'CRITICAL')])).toMatchObject({ status: 'failed', error_count: 1 });
    expect(progressOf([event(0, { status: 'failed' })])).toMatchObject({ status: 'failed', error_count: 1 });
  });

  test('a retry that made it is no failure', () => {
    const reports = [event(0, { step: 'pay' }, 'ERROR'), event(1, { step: 'pay', status: 'completed' })];
    expect(progressOf(reports)).toMatchObject({ status: 'completed', progress: 1, error_count: 1 });
    expect(progressOf([event(0, {}, 'ERROR'), event(1, { status: 'completed' })]).status).toBe('completed');
  });

  test('nor is one after which the whole was completed', () => {
    const reports = [event(0, { step: 'pay' }, 'ERROR'), event(1, { status: 'completed' })];
    expect(progressOf(reports)).toMatchObject({ status: 'in_progress', error_count: 1 });
  });

  test('another step does not make up for it', () => {
    const reports = [event(0, { step: 'pay' }, 'ERROR'), event(1, { step: 'mail', status: 'completed' })];
    expect(progressOf(reports).status).toBe('failed');
  });

  test('nor does what was completed before', () => {
    const reports = [event(0, { step: 'pay', status: 'completed' }), event(1, { step: 'pay' }, 'ERROR')];
    expect(progressOf(reports).status).toBe('failed');
  });
});

describe('where no step is reported, the traces are the steps', () => {
  test('done when the root has ended', () => {
    const spans = [
      span('t1', 'root', null, 0, 9),
      span('t1', 'child', 'root', 1, 2),
      span('t2', 'child', 'gone', 3, 4),
    ];
    expect(progressOf(spans)).toMatchObject({ status: 'in_progress', progress: 0.5, total_steps: 2 });
    expect(progressOf(spans.slice(0, 2))).toMatchObject({ status: 'completed', progress: 1 });
  });

  test('a failed span fails it unless the root of its trace ended well', () => {
    const child = span('t1', 'child', 'root', 1, 2, true);
    expect(progressOf([child])).toMatchObject({ status: 'failed', steps: [{ step: 't1', status: 'failed' }] });
    expect(progressOf([span('t1', 'root', null, 0, 9, true), child]).status).toBe('failed');
    expect(progressOf([span('t1', 'root', null, 0, 9), child])).toMatchObject({ status: 'completed', error_count: 1 });
    expect(progressOf([span('t2', 'root', null, 0, 9), child]).status).toBe('failed');
  });
});
