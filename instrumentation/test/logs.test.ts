import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ArrivedLog, type FarEnd, startFarEnd } from './far-end.ts';
import { ensureBuilt, runApp } from './run-app.ts';

let farEnd: FarEnd;

beforeAll(ensureBuilt);
beforeEach(async () => {
  farEnd = await startFarEnd();
});
afterEach(() => farEnd.close());

describe('winston', () => {
  it('is sent once per line, formatted, with level, ids, attributes and exception, whatever the transports', async () => {
    const { code, stderr } = await runApp('winston-logger.cjs', farEnd.url);
    expect(code, stderr).toBe(0);

    expect(farEnd.logs.map(({ body, severityNumber }) => [body, severityNumber])).toEqual([
      ['hello world', 9],
      ['from the other', 13],
      ['broken', 17],
      ['from a child', 9],
    ]);
    for (const { attributes } of farEnd.logs) expect(attributes['debug.correlation_id']).toBe('w-1');
    expect(log('hello world').attributes.user).toEqual({ id: 5 });
    expect(log('broken').attributes).toMatchObject({ 'exception.type': 'TypeError', 'exception.message': 'broken' });
    expect(log('broken').attributes['exception.stacktrace']).toContain('winston-logger.cjs');
    expect(log('from a child').attributes).toMatchObject({ module: 'billing', 'exception.type': 'RangeError' });
  });

  it('is seen when an ES module imports it', async () => {
    await runApp('winston-logger.mjs', farEnd.url);
    expect(farEnd.logs.map(({ body }) => body)).toEqual(['from a module']);
  });
});

describe("Nest's own logger", () => {
  it('is sent once per line, with its context and exceptions', async () => {
    const { stdout, stderr } = await runApp('nest-logger.cjs', farEnd.url);
    expect(stdout).toContain('taking 7');
    expect(stderr).toContain('no stock');
    expect(farEnd.logs.map(({ body, severityNumber }) => [body, severityNumber])).toEqual([
      ['taking 7', 9],
      [{ left: 0 }, 13],
      ['RangeError: no stock', 17],
      ['told', 17],
    ]);
    for (const { attributes } of farEnd.logs)
      expect(attributes).toMatchObject({ context: 'Stock', 'debug.operation_id': 'n-1' });
    for (const body of ['RangeError: no stock', 'told']) {
      expect(log(body).attributes).toMatchObject({ 'exception.type': 'RangeError', 'exception.message': 'no stock' });
      expect(log(body).attributes['exception.stacktrace']).toContain('nest-logger');
    }
  });
});

describe('pino', () => {
  it('is sent once per line with its attributes and exceptions', async () => {
    await runApp('pino-logger.mjs', farEnd.url);
    expect(farEnd.logs.map(({ body, severityNumber }) => [body, severityNumber])).toEqual([
      ['plain', 9],
      ['from a child', 13],
      ['broken', 17],
      ['', 21],
    ]);
    expect(log('plain').attributes).toMatchObject({
      user: { id: 5, password: '[Redacted]' },
      'debug.operation_id': 'p-1',
    });
    expect(log('from a child').attributes).toMatchObject({ module: 'billing' });
    expect(log('broken').attributes).toMatchObject({ 'exception.type': 'Error', 'exception.message': 'broken' });
    expect(log('broken').attributes['exception.stacktrace']).toContain('pino-logger.mjs');
  });

  it('leaves an id that the app logs itself in force over a derived one', async () => {
    await runApp('pino-logger.mjs', farEnd.url, { args: ['own-id'] });
    expect(log('own').attributes.correlationId).toBe('mine');
    expect(log('own').attributes).not.toHaveProperty('debug.correlation_id');
  });

  it('prints the ids of the span into its lines, and leaves those that the app prints', async () => {
    const { stderr } = await runApp('pino-logger.mjs', farEnd.url, { args: ['own-id'] });
    const [own, traced] = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { traceId, spanId, attributes } = log('own');
    expect(own).toMatchObject({ msg: 'own', trace_id: traceId, span_id: spanId, trace_flags: '01' });
    expect(attributes).not.toHaveProperty('trace_id');
    expect(traced).toMatchObject({ trace_id: 'of-the-app' });
    expect(traced).not.toHaveProperty('span_id');
  });
});

describe('bunyan', () => {
  it('is sent once per line with level, attributes and operation', async () => {
    await runApp('bunyan-logger.cjs', farEnd.url);
    expect(farEnd.logs.map(({ body }) => body)).toEqual(['plain', 'from a child', 'failed']);
    expect(log('plain').attributes).toMatchObject({ user: { id: 5 }, 'debug.operation_id': 'b-1' });
    expect(log('from a child')).toMatchObject({ severityNumber: 13, attributes: { module: 'billing' } });
    expect(JSON.stringify(log('failed').attributes)).toContain('broken');
  });
});

describe('console', () => {
  it('is sent once per line with level and stream, and prints what it printed before', async () => {
    const bare = await runApp('console-lines.mjs', farEnd.url, { nodeArgs: [] });
    expect(farEnd.logs).toEqual([]);
    const instrumented = await runApp('console-lines.mjs', farEnd.url);

    expect(instrumented).toEqual(bare);
    const lines = farEnd.logs.map(({ body, severityNumber, severityText, attributes }) => [
      body,
      severityNumber,
      severityText,
      attributes['log.iostream'],
    ]);
    expect(lines).toEqual([
      ["log 1 { a: [ 'b' ] }", 9, 'info', 'stdout'],
      ['info', 9, 'info', 'stdout'],
      ['debug', 5, 'debug', 'stdout'],
      ['warn', 13, 'warn', 'stderr'],
      ['failed: TypeError: broken', 17, 'error', 'stderr'],
      ['{ deep: { er: {} } }', 9, 'info', 'stdout'],
      ['Assertion failed: claimed', 13, 'warn', 'stderr'],
      ['getter read', 9, 'info', 'stdout'],
      ['{ value: [Getter] }', 9, 'info', 'stdout'],
    ]);
    const failed = log('failed: TypeError: broken');
    expect(failed.attributes).toMatchObject({ 'exception.type': 'TypeError', 'exception.message': 'broken' });
    expect(failed.attributes['exception.stacktrace']).toContain('console-lines.mjs');
  });
});

describe('snapshot', () => {
  it('is a log record of its own event with the state as structure', async () => {
    await runApp('snapshots.cjs', farEnd.url);
    const [full, bare, named] = farEnd.logs;
    expect(full).toMatchObject({
      eventName: 'debug.state.snapshot',
      severityNumber: 9,
      body: { items: [1, 2.5, 'x'], nested: { at: '1970-01-01T00:00:00.000Z', tags: ['a'] } },
      attributes: {
        'debug.state.name': 'cart',
        'debug.checkpoint': 'before-order',
        'debug.snapshot.type': 'partial',
        'debug.operation_id': 'given',
        'debug.correlation_id': 'c-1',
        'debug.component.type': 'agent',
        'debug.component.id': 'planner',
      },
    });
    expect(bare!.body).toEqual({ only: 'state' });
    expect(bare!.attributes).toEqual({ 'debug.snapshot.type': 'full' });
    expect(named).toMatchObject({ body: { value: [1, 2] }, attributes: { 'debug.state.name': 'queue' } });
    expect(farEnd.logs).toHaveLength(3);
  });
});

describe('the API where nobody wants records', () => {
  it.each([
    ['logs are not exported', { env: { OTEL_LOGS_EXPORTER: 'none' } }],
    ['telemetry is off', { env: { OTEL_SDK_DISABLED: 'true' } }],
    ['the flag is not there', { nodeArgs: [] }],
  ])('reads no state and runs what it is given: %s', async (_, options) => {
    const { stdout, stderr, code } = await runApp('unwanted.cjs', farEnd.url, options);
    expect(code, stderr).toBe(0);
    expect(stdout).toBe('[1,2,3,"ann","o-1"]\n');
    expect(farEnd.logs).toEqual([]);
  });
});

function log(body: string): ArrivedLog {
  const found = farEnd.logs.find((record) => record.body === body);
  expect(found, `no log '${body}' among ${JSON.stringify(farEnd.logs.map((record) => record.body))}`).toBeDefined();
  return found!;
}
