import { expect, test } from 'vitest';
import { DebugError, ERROR_CODES } from '../../base/errors.ts';
import { problemOf } from './problem.ts';

test.each(ERROR_CODES)('%s has a status and a title', (code) => {
  const { problem } = problemOf(new DebugError(code, 'why'), '/x', 'r');
  expect(problem.status).toBeGreaterThanOrEqual(400);
  expect(problem.title).toMatch(/\w/);
});

test('names the finer reason, the fields and when to come again', () => {
  const fields = [{ field: 'events[2].level', message: 'unknown' }];
  const error = new DebugError('UNAVAILABLE', 'full', { reason: 'JOURNAL_FULL', fields, retryAfterSeconds: 3 });
  expect(problemOf(error, '/api/debug/events', 'r-1')).toEqual({
    problem: {
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'full',
      instance: '/api/debug/events',
      code: 'JOURNAL_FULL',
      errors: fields,
      request_id: 'r-1',
    },
    headers: { 'Retry-After': '3' },
  });
});

test('a disabled system says DEBUG_DISABLED', () => {
  expect(problemOf(new DebugError('DISABLED', 'off'), '/', 'r').problem).toMatchObject({
    status: 503,
    code: 'DEBUG_DISABLED',
  });
});

test('our own mistakes tell nothing of the inside', () => {
  const { problem } = problemOf(new Error('password=hunter2'), '/', 'r');
  expect(problem).toMatchObject({ status: 500, code: 'INTERNAL' });
  expect(JSON.stringify(problem)).not.toContain('hunter2');
});
