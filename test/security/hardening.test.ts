/** F33, F35, F37, F39, F40, F41 and R34 on a whole system that nobody has configured, and what `/metrics` must name (issue 3, 5). */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { loadConfig } from '../../config.ts';
import { startCollector, type TestCollector } from '../support/collector.ts';
import { createDatabase } from '../support/postgres.ts';

const OPERATIONS = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
let system: TestCollector;
beforeAll(async () => {
  system = await startCollector();
});
afterAll(() => system.stop());

function raw(url: string, path: string, headers: Record<string, string> = {}, method = 'GET', body = '') {
  const { hostname: host, port } = new URL(url);
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
    const sent = request({ host, port, path, method, headers, agent: false }, async (response) => {
      const chunks = await response.toArray();
      resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks).toString() });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('F33', () => {
  it('what a client says in a question is never part of a statement', async () => {
    const nasty = fc.oneof(
      fc.constantFrom(
        `' OR '1'='1`,
        `'; DROP TABLE block; --`,
        '%',
        '_',
        '\\',
        '$1',
        '#{x}',
        '\u2019',
        '/*',
        '"',
        '\0',
        '?',
      ),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
    );
    const key = fc.constantFrom(
      'component_id',
      'correlation_id',
      'operation_id',
      'q',
      'template_id',
      'attr.x',
      'trace_id',
      'cursor',
      'time_range',
      'limit',
    );
    await fc.assert(
      fc.asyncProperty(key, nasty, async (key, value) => {
        const query = new URLSearchParams({ [key]: value });
        const { status, body } = await raw(system.http, `/api/debug/events?${query}`);
        expect([200, 400]).toContain(status);
        if (status === 200) expect((JSON.parse(body) as { data: unknown[] }).data).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});

describe('F35', () => {
  it.each([
    '/../package.json',
    '/..%2f..%2fpackage.json',
    '/%2e%2e/%2e%2e/etc/passwd',
    '//etc/passwd',
    '/dashboard.js/../../../package.json',
    '/dashboard.js%00.html',
    '/C:/Windows/win.ini',
    '/..\\..\\package.json',
  ])('%s is no file of ours', async (path) => {
    expect((await raw(system.http, path)).status).toBe(404);
  });

  it.each(['read@../x:t', 'read@a/b:t', 'read@.:t', 'read@a b:t', 'read@CON\\x:t'])(
    'a tenant of %s is none',
    (token) => {
      const flags = new Map([['api-tokens', token]]);
      expect(() => loadConfig({ flags, environment: {} })).toThrow(/DEBUG_API_TOKENS/);
    },
  );
});

describe('F37', () => {
  it('every answer forbids what a page must not do', async () => {
    for (const path of ['/', '/dashboard.js', '/api/debug/events', '/nothing', '/healthz']) {
      const { headers } = await raw(system.http, path);
      expect(headers['content-security-policy'], path).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(headers['content-security-policy'], path).not.toContain('unsafe');
      expect(headers, path).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' });
    }
  });

  it('the dashboard makes text of what it shows, never markup', () => {
    const folder = join(import.meta.dirname, '../../query/dashboard');
    const script = readFileSync(join(folder, 'dashboard.js'), 'utf8');
    expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc/);
    expect(readFileSync(join(folder, 'index.html'), 'utf8')).not.toMatch(/\son\w+=|<script>|<style>|javascript:/);
  });
});

describe('F39, F40: a page of another site', () => {
  const evil = { origin: 'https://evil.example', 'content-type': 'application/json' };

  it.each(['/api/debug/events', '/metrics', '/mcp', '/'])(
    'under its own name for us gets nothing of %s (DNS rebinding)',
    async (path) => {
      expect((await raw(system.http, path, { host: 'evil.example:4319' })).status).toBe(421);
    },
  );

  it.each(['/api/debug/events', '/api/debug/sessions', '/api/debug/insights/generate', '/mcp'])(
    'changes nothing at %s',
    async (path) => {
      expect((await raw(system.http, path, evil, 'POST', '{}')).status).toBe(403);
    },
  );

  it('R34 is told of no permission, beforehand or afterwards', async () => {
    const asks = { ...evil, 'access-control-request-method': 'POST' };
    for (const [url, path] of [
      [system.http, '/api/debug/events'],
      [system.otlpHttp, '/v1/traces'],
    ] as const) {
      for (const method of ['OPTIONS', 'GET']) {
        const { headers } = await raw(url, path, asks, method);
        expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
      }
    }
  });

  it('R34 that is allowed may, and is the only one', async () => {
    const open = await startCollector({ 'cors-origins': 'https://app.example' });
    const asks = (origin: string) => ({
      origin,
      'access-control-request-method': 'POST',
      'content-type': 'application/json',
    });
    for (const [url, path] of [
      [open.http, '/api/debug/events'],
      [open.otlpHttp, '/v1/traces'],
    ] as const) {
      expect(await raw(url, path, asks('https://app.example'), 'OPTIONS')).toMatchObject({
        status: 204,
        headers: { 'access-control-allow-origin': 'https://app.example' },
      });
      expect(
        (await raw(url, path, asks('https://evil.example'), 'OPTIONS')).headers['access-control-allow-origin'],
      ).toBeUndefined();
    }
    const sent = await raw(open.otlpHttp, '/v1/traces', asks('https://app.example'), 'POST', '{}');
    expect(sent).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': 'https://app.example' } });
    await open.stop();
  });

  it('no answer sets a cookie', async () => {
    for (const path of ['/', '/api/debug/events', '/mcp'])
      expect((await raw(system.http, path)).headers['set-cookie']).toBeUndefined();
  });
});

describe('F41', () => {
  it('listens on this machine only', () => {
    for (const url of [system.http, system.otlpHttp]) expect(new URL(url).hostname).toBe('127.0.0.1');
  });

  it.each(['0.0.0.0', '::', '192.168.1.1', 'example.com'])('does not start on %s without a token', (host) => {
    expect(() => loadConfig({ flags: new Map([['host', host]]), environment: {} })).toThrow(
      /DEBUG_HOST.*DEBUG_API_TOKENS/,
    );
    expect(() =>
      loadConfig({
        flags: new Map<string, string | boolean>([
          ['host', host],
          ['insecure', true],
        ]),
        environment: {},
      }),
    ).not.toThrow();
  });
});

describe('issue 3, 5: a process that only receives', () => {
  it('tells how it is, and answers no questions', async () => {
    const database = await createDatabase(inject('pgUrl'));
    const prefix = `test-${Math.random().toString(36).slice(2)}`;
    const settings = {
      role: 'receiver',
      'pg-url': database.url,
      'redis-url': inject('redisUrl'),
      'redis-key-prefix': prefix,
    };
    const receiver = await startCollector(settings);
    expect(await raw(receiver.http, '/healthz')).toMatchObject({ status: 200 });
    expect(await raw(receiver.http, '/readyz')).toMatchObject({ status: 200 });
    for (const path of ['/api/debug/events', '/', '/openapi.json'])
      expect((await raw(receiver.http, path)).status).toBe(404);
    const { body } = await raw(receiver.http, '/metrics');
    expect(NAMES.length).toBeGreaterThan(10);
    for (const name of NAMES) expect(body, name).toContain(`ai_debug_${name}`);
    await receiver.stop();
    await database.drop();
  });

  /** What an operator watches, as the document has it. */
  const NAMES = [...OPERATIONS.matchAll(/^\| `ai_debug_(\w+)` \|/gm)].map(([, name]) => name!);
});
