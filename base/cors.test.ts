import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { createCors, ORIGIN } from './cors.ts';

const request = (origin?: string, method = 'POST', asks?: string) =>
  ({
    method,
    headers: { ...(origin && { origin }), ...(asks && { 'access-control-request-method': asks }) },
  }) as IncomingMessage;

describe('R34 origins', () => {
  test.each([
    ['https://app.example.com', 'https://app.example.com', true],
    ['https://app.example.com', 'https://app.example.com.evil.io', false],
    ['https://app.example.com', 'https://appxexample.com', false],
    ['https://app.example.com', 'http://app.example.com', false],
    ['https://app.example.com', 'https://app.example.com:8443', false],
    ['https://*.example.com', 'https://a.b.example.com', true],
    ['https://*.example.com', 'https://example.com', false],
    ['https://*.example.com', 'https://evil.io/.example.com', false],
    ['https://*.example.com', 'https://evil.io#.example.com', false],
    ['http://localhost:5173', 'http://localhost:5173', true],
    ['*', 'null', true],
  ])('%s and a page of %s: %s', (pattern, origin, allowed) => {
    expect(createCors([pattern], 'POST').allows(origin)).toBe(allowed);
  });

  test.each(['https://', 'app.example.com', 'https://a.*.com', 'https://a.com/', 'https://*', 'null', '**'])(
    '%s is none to configure',
    (text) => expect(ORIGIN.test(text)).toBe(false),
  );
});

test('R34 nobody is answered unless named', () => {
  expect(createCors([], 'POST').headers(request('https://a.com'))).toEqual({});
  expect(createCors([], 'POST').preflight(request('https://a.com', 'OPTIONS', 'POST'))).toBeNull();
});

test('R34 who is not allowed is told nothing but that it varies', () => {
  const cors = createCors(['https://a.com'], 'POST');
  expect(cors.headers(request('https://b.com'))).toEqual({ vary: 'Origin' });
  expect(cors.preflight(request('https://b.com', 'OPTIONS', 'POST'))).toBeNull();
});

test('R34 a browser that asks beforehand learns what it may send, and never with credentials', () => {
  for (const origins of [['https://a.com'], ['*']]) {
    const answer = createCors(origins, 'POST').preflight(request('https://a.com', 'OPTIONS', 'POST'))!;
    expect(answer).toMatchObject({
      'access-control-allow-origin': origins[0],
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': expect.stringContaining('content-encoding'),
    });
    expect(Object.keys(answer)).not.toContain('access-control-allow-credentials');
  }
});
