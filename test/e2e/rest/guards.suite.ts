/** Who is let in, and what happens when something is wrong. */
import { describe, expect, test } from 'vitest';
import { startQuerySystem } from '../../support/query-system.ts';
import { system } from './shared.ts';

describe('guards', () => {
  test('with tokens nothing but the probes answers without one', async () => {
    const guarded = await startQuerySystem({ tokens: ['secret-1', 'secret-2'] });
    try {
      const status = async (path: string, authorization?: string) =>
        (await fetch(guarded.url + path, authorization === undefined ? {} : { headers: { authorization } })).status;
      for (const path of [
        '/api/debug/events',
        '/api/debug/events?follow=true',
        '/api/debug/nothing',
        '/api/debug//events',
        '/metrics',
      ]) {
        for (const wrong of [
          undefined,
          '',
          'Bearer',
          'Bearer ',
          'Bearer secret',
          'Bearer secret-1x',
          'Basic secret-1',
          'secret-1',
        ]) {
          expect([path, wrong, await status(path, wrong)]).toEqual([path, wrong, 401]);
        }
      }
      expect(await status('/api/debug/events?token=secret-1')).toBe(401);
      expect(await status('/api/debug/events', 'Bearer secret-1')).toBe(200);
      expect(await status('/api/debug/events', 'bearer secret-2')).toBe(200);
      for (const path of ['/healthz', '/readyz', '/version', '/openapi.json', '/'])
        expect(await status(path)).toBe(200);
      const refused = await fetch(`${guarded.url}/api/debug/events`);
      expect(refused.headers.get('www-authenticate')).toBe('Bearer');
      expect(await refused.json()).toMatchObject({ code: 'UNAUTHENTICATED' });
    } finally {
      await guarded.stop();
    }
  });

  test('with a limit every answer says what is left of it, and who is over it when to come again', async () => {
    const limited = await startQuerySystem({ requestsPerSecond: 2 });
    try {
      const first = await fetch(`${limited.url}/api/debug/events`);
      expect(first.headers.get('ratelimit-policy')).toBe('"token";q=2;w=1');
      expect(first.headers.get('ratelimit')).toBe('"token";r=3;t=1');
      let last = first;
      for (let i = 0; i < 20 && last.status === 200; i++) last = await fetch(`${limited.url}/api/debug/events`);
      expect(last.status).toBe(429);
      expect(Number(last.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    } finally {
      await limited.stop();
    }
    expect((await fetch(`${system.url}/api/debug/events`)).headers.get('ratelimit')).toBeNull();
  });

  test('on loopback only its own names are answered', async () => {
    const { request } = await import('node:http');
    const status = (host: string) =>
      new Promise((resolve, reject) => {
        request(`${system.url}/api/debug/events`, { headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    for (const host of ['127.0.0.1:4319', 'localhost', 'LOCALHOST:80', '[::1]:4319', 'debug.localhost'])
      expect(await status(host)).toBe(200);
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:4319'])
      expect(await status(host)).toBe(421);
  });

  test('a disabled system answers 503 to every question', async () => {
    const disabled = await startQuerySystem({ enabled: false });
    try {
      for (const [method, path] of [
        ['GET', '/events'],
        ['POST', '/events'],
        ['GET', '/insights'],
        ['GET', '/nothing'],
      ]) {
        const response = await fetch(`${disabled.url}/api/debug${path}`, { method: method! });
        expect(response.status).toBe(503);
        expect(response.headers.get('retry-after')).not.toBeNull();
        expect(await response.json()).toMatchObject({ code: 'DEBUG_DISABLED' });
      }
      expect((await fetch(`${disabled.url}/healthz`)).status).toBe(200);
    } finally {
      await disabled.stop();
    }
  });

  test('what is not ready says why', async () => {
    const troubled = await startQuerySystem({ troubles: async () => ['the store is away'] });
    try {
      const response = await fetch(`${troubled.url}/readyz`);
      expect(response.status).toBe(503);
      expect(await response.json()).toEqual({ status: 'not_ready', reasons: ['the store is away'] });
    } finally {
      await troubled.stop();
    }
  });

  test('a port that is taken is an error at start, naming the setting', async () => {
    const port = Number(new URL(system.url).port);
    await expect(startQuerySystem({ port })).rejects.toThrow(/the port is taken \(DEBUG_HTTP_PORT\)/);
  });

  test('an error of ours tells nothing of the inside', async () => {
    const broken = await startQuerySystem({
      engine: {
        generate: () => Promise.reject(new Error('password=hunter2')),
        consistency: async () => null,
        explain: async () => ({ insight: null, chain: [], affected_components: [] }),
      },
    });
    try {
      const response = await fetch(`${broken.url}/api/debug/insights/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain('hunter2');
    } finally {
      await broken.stop();
    }
  });
});
