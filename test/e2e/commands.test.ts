/** The commands that ask, against a running server: what they print, and how they end. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../commands/ask.ts';
import type { Command } from '../../commands/command.ts';
import { compare } from '../../commands/compare.ts';
import { doctor } from '../../commands/doctor.ts';
import { explain } from '../../commands/explain.ts';
import { exportBundle } from '../../commands/export.ts';
import { health } from '../../commands/health.ts';
import { importBundles } from '../../commands/import.ts';
import { insights } from '../../commands/insights.ts';
import { resolve } from '../../commands/resolve.ts';
import { tail } from '../../commands/tail.ts';
import { trace } from '../../commands/trace.ts';
import { type RunOptions, run as runFor } from '../support/commands.ts';
import { tellIncident } from '../support/incident.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

let system: QuerySystem;
let ids: string[];
beforeAll(async () => {
  system = await startQuerySystem({ tokens: ['admin:lets-me'] });
  process.env.DEBUG_TOKEN = 'lets-me';
  ids = await tellIncident(system.url, 'lets-me');
});
afterAll(async () => {
  delete process.env.DEBUG_TOKEN;
  await system?.stop();
});

const run = (command: Command, args: string[], options: Partial<RunOptions> = {}) =>
  runFor(command, [...args, '--url', options.url ?? system.url], options);

describe('health', () => {
  it('shows the worst first and ends with 1', async () => {
    const { code, out } = await run(health, []);
    expect(code).toBe(1);
    const rows = out.split('\n').filter((line) => /^(inventory|orders|front) /.test(line));
    expect(rows.map((row) => row.split(' ')[0])).toEqual(['inventory', 'orders', 'front']);
    expect(rows[0]).toMatch(/unhealthy +46\.66 +█+/);
    expect(out).not.toContain('\u001b');
  });

  it('of one component, by its name or its type and name', async () => {
    for (const name of ['inventory', 'service/inventory'])
      expect((await run(health, [name])).out).toMatch(/inventory +unhealthy/);
    expect(await run(health, ['nobody'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('there are front, inventory, orders'),
    });
  });

  it('is coloured on a terminal, and plain JSON for programs', async () => {
    expect((await run(health, [], { tty: true })).out).toContain('\u001b[31m');
    const response = await fetch(`${system.url}/api/debug/analytics/component-health`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer lets-me' },
      body: JSON.stringify({ component_type: 'service', component_id: 'inventory' }),
    });
    const { data } = (await response.json()) as { data: { health_score: number } };
    expect(JSON.parse((await run(health, ['inventory', '--json'])).out).health_score).toBe(data.health_score);
  });
});

describe('explain and trace', () => {
  it('lead from an error to its root', async () => {
    const { code, out } = await run(explain, [ids.at(-1)!]);
    expect(code).toBe(0);
    expect(out).toMatch(/CRITICAL inventory connection to database lost/);
    expect(out.indexOf('CRITICAL inventory')).toBeLessThan(out.indexOf('order 30 failed'));
  });

  it('show a timeline, and end with 1 where there are errors in it', async () => {
    const broken = await run(trace, ['incident-order-30']);
    expect(broken).toMatchObject({ code: 1 });
    expect(broken.out).toMatch(/4? ?events|5 events/);
    expect(await run(trace, ['incident-order-2'])).toMatchObject({ code: 0 });
    expect(await run(trace, ['no-such-thing'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('CORRELATION_NOT_FOUND'),
    });
  });

  it('F37 let nothing of telemetry reach the terminal as a command', async () => {
    const event = {
      event_type: 'log',
      component_type: 'service',
      component_id: 'evil\u001b[2J',
      correlation_id: 'evil',
      message: '\u001b]0;owned\u0007\u001b[1A forged',
    };
    await fetch(`${system.url}/api/debug/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer lets-me' },
      body: JSON.stringify(event),
    });
    const { out } = await run(trace, ['evil'], { tty: true });
    expect(out).toContain('forged');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all but the colours that we put in
    expect(out.replace(/\u001b\[\d+m/g, '')).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });
});

describe('the others', () => {
  it('ask answers, and says what to type next', async () => {
    const { code, out } = await run(ask, ['why', 'does', 'orders', 'fail?']);
    expect(code).toBe(0);
    expect(out).toContain('inventory');
    expect(out).toMatch(/next\n {2}ai-debug (trace|health|explain) /);
    expect(
      JSON.parse((await run(ask, ['how is inventory?', '--json', '--budget', '400'])).out).receipt.used_tokens,
    ).toBeLessThanOrEqual(400);
  });

  it('compare ends with 1 where something separates', async () => {
    const { code, out } = await run(compare, ['orders', 'inventory']);
    expect(code).toBe(1);
    expect(out).toMatch(/service\/orders/);
    expect(await run(compare, ['orders'])).toMatchObject({ code: 2 });
  });

  it('insights lists, shows one, and tells what is new; resolve notes', async () => {
    const listed = await run(insights, []);
    expect(listed.code).toBe(1);
    const found = JSON.parse((await run(insights, ['--json'])).out) as { id: string }[];
    const { id } = found[0]!;
    expect((await run(insights, [id])).out).toMatch(/confidence/);
    const first = JSON.parse((await run(insights, ['--since', 'now', '--json'])).out) as { cursor: string };
    expect((await run(insights, ['--since', first.cursor])).out).toMatch(/^nothing moved/);
    expect(await run(resolve, [id])).toMatchObject({ code: 2 });
    expect(await run(resolve, [id, '--notes', 'restarted'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^resolved /),
    });
    expect((await run(insights, ['--since', first.cursor])).out).toMatch(/^resolved\n/);
    expect(await run(resolve, ['0'.repeat(32), '--notes', 'x'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('INSIGHT_NOT_FOUND'),
    });
  });

  it('tail shows what comes until it is interrupted', async () => {
    const stopping = new AbortController();
    let heard = false;
    const running = run(tail, ['--component', 'tailed'], {
      signal: stopping.signal,
      hear: (text) => {
        heard = /INFO +tailed line \d+\n/.test(text);
      },
    });
    const post = (message: string) =>
      fetch(`${system.url}/api/debug/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer lets-me' },
        body: JSON.stringify({
          event_type: 'log',
          component_type: 'service',
          component_id: 'tailed',
          correlation_id: 't',
          level: 'INFO',
          message,
        }),
      });
    for (let i = 0; !heard; i++) {
      await post(`line ${i}`);
      await new Promise((done) => setTimeout(done, 50));
    }
    stopping.abort();
    expect(await running).toMatchObject({ code: 0, err: '' });
  });

  it('end with 3 where nobody answers, and say what to start', async () => {
    for (const [command, args] of [
      [health, []],
      [ask, ['x']],
      [tail, []],
      [insights, []],
    ] as [Command, string[]][])
      expect(await run(command, args, { url: 'http://127.0.0.1:9' })).toMatchObject({
        code: 3,
        err: expect.stringContaining('ai-debug up'),
      });
  });

  it('say which token is missing', async () => {
    process.env.DEBUG_TOKEN = 'wrong';
    expect(await run(health, [])).toMatchObject({ code: 1, err: expect.stringContaining('DEBUG_TOKEN') });
    process.env.DEBUG_TOKEN = 'lets-me';
  });
});

describe('export and import', () => {
  let far: Server;
  const taken: string[] = [];
  beforeAll(async () => {
    // The far end of the two commands: what they send and where, whatever serves it.
    far = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      taken.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? ''} ${body}`.trim());
      response.setHeader('content-type', 'application/json');
      response.end(
        request.method === 'POST' ? '{"data":{"records":2},"meta":{}}' : '{"resourceLogs":[]}\n{"insight":{}}\n',
      );
    });
    await new Promise<void>((done) => far.listen(0, '127.0.0.1', done));
  });
  afterAll(() => far.close());

  it('ask for a bundle and bring it', async () => {
    const url = `http://127.0.0.1:${(far.address() as AddressInfo).port}`;
    const folder = await mkdtemp(join(tmpdir(), 'ai-debug-commands-'));
    const exported = await run(exportBundle, ['order/1'], { url });
    expect(exported).toMatchObject({ code: 0, out: '{"resourceLogs":[]}\n{"insight":{}}\n' });
    const file = join(folder, 'bundle.jsonl');
    await writeFile(file, exported.out);
    expect(await run(importBundles, [file], { url })).toMatchObject({ code: 0, out: `${file}: 2 records\n` });
    expect(taken).toEqual([
      'GET /api/debug/export/order%2F1',
      `POST /api/debug/import application/x-ndjson ${exported.out}`.trim(),
    ]);
    expect(await run(importBundles, [join(folder, 'none')], { url })).toMatchObject({ code: 2 });
    await rm(folder, { recursive: true });
  });
});

describe('doctor', () => {
  it('finds a server whose telemetry is good enough', async () => {
    const { out } = await run(doctor, []);
    expect(out).toMatch(/✓ server +ai-debug 0\.0\.0-test/);
    expect(out).toMatch(/✓ token +accepted/);
    expect(out).toMatch(/! replicas .*\n +export OTEL_RESOURCE_ATTRIBUTES/);
    const { checks } = JSON.parse((await run(doctor, ['--json'])).out) as {
      checks: { name: string; status: string }[];
    };
    // The test's server says that it takes OTLP where nobody listens.
    expect(checks.find(({ name }) => name === 'OTLP over HTTP')).toMatchObject({ status: 'problem' });
  });

  it('says how to come by a token', async () => {
    process.env.DEBUG_TOKEN = 'wrong';
    const { code, out } = await run(doctor, []);
    process.env.DEBUG_TOKEN = 'lets-me';
    expect(code).toBe(1);
    expect(out).toMatch(/✗ token .*\n +export DEBUG_TOKEN=/);
  });

  it('tells nobody from somebody else', async () => {
    expect(await run(doctor, [], { url: 'http://127.0.0.1:9' })).toMatchObject({
      code: 3,
      out: expect.stringMatching(/nothing listens.*\n +ai-debug up/),
    });
    const other = createTcpServer((socket) => socket.on('error', () => {}).end('220 smtp\r\n'));
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    expect(await run(doctor, [], { url })).toMatchObject({ code: 3, out: expect.stringMatching(/is not ai-debug/) });
    other.close();
  });

  it('says why a server is not ready', async () => {
    const ill = await startQuerySystem({
      tokens: ['admin:lets-me'],
      troubles: async () => ['the journal is 95% full'],
    });
    expect(await run(doctor, [], { url: ill.url })).toMatchObject({
      out: expect.stringMatching(/✗ ready +the journal is 95% full \(503\)/),
    });
    await ill.stop();
  });

  it('tells the port of telemetry from that of questions, as do the other commands', async () => {
    const { startReceiver } = await import('../support/receiver.ts');
    const receiver = await startReceiver();
    const url = `http://${receiver.http.replace(/^http:\/\//, '')}`;
    expect(await run(doctor, [], { url })).toMatchObject({
      code: 3,
      out: expect.stringMatching(/takes telemetry.*\n +export DEBUG_URL=/),
    });
    expect(await run(health, [], { url })).toMatchObject({
      code: 3,
      out: '',
      err: expect.stringMatching(/is not the query service of ai-debug \(404\); ai-debug doctor/),
    });
    await receiver.stop();
  });
});
