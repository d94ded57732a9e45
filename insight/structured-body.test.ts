import { expect, test } from 'vitest';
import type { JsonObject } from '../model/json.ts';
import { errorLog, span } from '../test/support/telemetry.ts';
import { codePointersOf } from './code-pointer.ts';
import { wordsOf } from './event-facts.ts';
import { sentenceOf, stackOf } from './structured-body.ts';

const line = (fields: JsonObject | string, data: JsonObject = {}) =>
  errorLog({ ms: 0, by: 'api', message: typeof fields === 'string' ? fields : JSON.stringify(fields), data });
const GO = 'panic: boom\n\ngoroutine 17 [running]:\nmain.(*Router).assign(0xc0)\n\t/build/router.go:112 +0x1a5\n';
const PYTHON = 'Traceback (most recent call last):\n  File "/srv/views.py", line 41, in charge\n    x()\nKeyError: 1';

test.each([
  [{ level: 50, time: 1, msg: 'no vehicle' }, 'no vehicle'],
  [{ '@m': 'no vehicle', '@l': 'Error' }, 'no vehicle'],
  [{ event: 'charge_failed', error: { message: 'read timed out' } }, 'read timed out'],
  [{ event: 'charge_failed' }, 'charge_failed'],
])('of a body of fields %j the sentence is %s', (fields, words) => {
  expect(wordsOf(line(fields))).toBe(words);
});

test('what is no object, has no sentence or is a span keeps its own words', () => {
  for (const message of ['{} is not iterable', '{"a":1', '[1,2]', '{"a":1}', 'plain']) {
    expect(sentenceOf(line(message))).toBeNull();
    expect(wordsOf(line(message))).toBe(message);
  }
  expect(
    sentenceOf({ ...span({ ms: 0, by: 'api', trace: 't', id: 'a', took: 1 }), message: '{"msg":"x"}' }),
  ).toBeNull();
});

test.each([
  ['attributes of OpenTelemetry', line('x', { 'exception.stacktrace': PYTHON, err: 'y' }), '/srv/views.py'],
  ['attributes of ECS', line('x', { 'error.stack_trace': PYTHON }), '/srv/views.py'],
  ['an object under err', line('x', { err: { type: 'KeyError', stack: PYTHON } }), '/srv/views.py'],
  ['exc_info of Python loggers', line('x', { exc_info: PYTHON }), '/srv/views.py'],
  ['a field of the body', line({ level: 50, msg: 'x', err: { stack: GO } }), '/build/router.go'],
  ['the text itself', line(GO), '/build/router.go'],
])('the stack is found in %s', (_where, event, file) => {
  expect(codePointersOf(event)[0]?.file).toBe(file);
});

test('one line of text is no stack', () => {
  expect(stackOf(line('boom'))).toBe('');
});
