import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FarEnd, startFarEnd } from './far-end.ts';
import { type Ended, ensureBuilt, runApp, startApp } from './run-app.ts';

let farEnd: FarEnd;

beforeAll(ensureBuilt);
beforeEach(async () => {
  farEnd = await startFarEnd();
});
afterEach(() => farEnd.close());

describe('an app that ends', () => {
  it.each([
    ['because its work is done', [], 0],
    ['with process.exit()', ['exit'], 3],
    ['with process.exitCode', ['code'], 4],
  ])('%s keeps its code and delivers its last words', async (_, args, code) => {
    const ended = await runApp('ends.cjs', farEnd.url, { args });
    expect(ended).toMatchObject({ code, signal: null, stderr: '' });
    expect(farEnd.logs.map(({ body }) => body)).toContain('last words');
  });

  it('delivers its runtime metrics when its work is done', async () => {
    await runApp('ends.cjs', farEnd.url);
    expect(farEnd.metrics.map(({ name }) => name)).toContain('v8js.memory.heap.used');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('by %s without a handler dies of it, and delivers', async (signal) => {
    const ended = await signalled('wait', signal);
    expect(ended).toMatchObject({ code: null, signal, stderr: '' });
    expect(farEnd.logs.map(({ body }) => body)).toContain('last words');
  });

  it('by a signal that it handles ends in its own way and time, and delivers what it says on the way', async () => {
    const ended = await signalled('graceful', 'SIGTERM');
    expect(ended).toMatchObject({ code: 5, signal: null, stderr: '' });
    expect(farEnd.logs.map(({ body }) => body)).toEqual(expect.arrayContaining(['last words', 'closing']));
  });

  it('by a signal whose other listener acts only when it is alone', async () => {
    const ended = await signalled('alone', 'SIGTERM');
    expect(ended).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(farEnd.logs.map(({ body }) => body)).toContain('last words');
  });
});

describe('an uncaught exception', () => {
  it.each([
    ['sync', 'TypeError', 'thrown in a handler'],
    ['async', 'RangeError', 'rejected in a handler'],
  ])(
    '%s in a handler ends the app with 1 and its stack, and arrives with the failed span',
    async (how, type, message) => {
      const { code, stderr } = await runApp('throws.cjs', farEnd.url, { args: [how] });
      expect(code).toBe(1);
      expect(stderr).toContain(`${type}: ${message}\n    at `);

      const log = farEnd.logs.find(({ severityNumber }) => severityNumber === 21)!;
      expect(log.body).toBe(`${type}: ${message}`);
      expect(log.attributes).toMatchObject({ 'exception.type': type, 'exception.message': message });
      expect(log.attributes['exception.stacktrace']).toContain('throws.cjs');

      const span = farEnd.spans.find(({ kind }) => kind === 2)!;
      expect(span.status).toBe(2);
      expect(span.events.map(({ name, attributes }) => [name, attributes['exception.message']])).toEqual([
        ['exception', message],
      ]);
      expect([log.traceId, log.spanId]).toEqual([span.traceId, span.spanId]);
      expect(log.attributes['debug.correlation_id']).toBe(span.traceId);
    },
  );

  it('while the app loads arrives, and reads on stderr as it does without us', async () => {
    const nodeArgs = ['--import', 'data:text/javascript,'];
    const bare = await runApp('throws.cjs', farEnd.url, { args: ['top'], nodeArgs });
    const instrumented = await runApp('throws.cjs', farEnd.url, { args: ['top'] });
    expect(withoutLoaderFrames(instrumented)).toEqual(withoutLoaderFrames(bare));
    expect(farEnd.logs.map(({ body }) => body)).toEqual(['TypeError: thrown at the top']);
  });

  it('that the app handles is its own to handle', async () => {
    const ended = await runApp('throws.cjs', farEnd.url, { args: ['handled'] });
    expect(ended).toMatchObject({ code: 7, stdout: 'survived thrown in a handler\n' });
    expect(farEnd.logs.map(({ body }) => body)).toContain('TypeError: thrown in a handler');
  });
});

describe('a receiver that', () => {
  it('is away costs the app nothing', async () => {
    const away = farEnd.url;
    await farEnd.close();
    farEnd = await startFarEnd();
    const ended = await runApp('ends.cjs', away, { args: ['code'] });
    expect(ended).toEqual({ code: 4, signal: null, stdout: 'last words\nready \n', stderr: '' });
  });

  it('is away during the life of the app is said once on stderr', async () => {
    const away = farEnd.url;
    await farEnd.close();
    farEnd = await startFarEnd();
    const env = { OTEL_BLRP_SCHEDULE_DELAY: '10', OTEL_EXPORTER_OTLP_TIMEOUT: '100' };
    const { code, stderr } = await runApp('ticks.cjs', away, { env });
    expect(code).toBe(0);
    expect(stderr).toBe(
      `[ai-debug instrumentation] cannot deliver to ${away} (connect ECONNREFUSED ${away.slice('http://'.length)}); telemetry waits on the disk meanwhile (said once)\n`,
    );
  });

  // Both would take half a minute of retries and deadlines if these held the event loop.
  it.each([
    ['refuses', false],
    ['accepts and never answers', true],
  ])(
    '%s while a batch is on its way does not keep the app from ending',
    async (_, accepts) => {
      const receiver = await startFarEnd({ respond: false });
      if (!accepts) await receiver.close();
      const env = { OTEL_BLRP_SCHEDULE_DELAY: '10', OTEL_EXPORTER_OTLP_TIMEOUT: '30000' };
      const { code } = await runApp('ticks.cjs', receiver.url, { env });
      if (accepts) await receiver.close();
      expect(code).toBe(0);
    },
    10_000,
  );
});

async function signalled(how: string, signal: NodeJS.Signals): Promise<Ended> {
  const app = startApp('ends.cjs', farEnd.url, { args: [how] });
  await app.line('ready');
  app.process.kill(signal);
  return app.ended;
}

/** Node's own frames differ with what was imported before the app; the app's frames and words must not. */
function withoutLoaderFrames(ended: Ended): Ended {
  return { ...ended, stderr: ended.stderr.replaceAll(/^ {4}at .*(node:internal|file:).*\n/gm, '') };
}
