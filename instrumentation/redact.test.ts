import { expect, it } from 'vitest';
import { redacted } from './redact.ts';

it('blots out texts under keys that name a secret, however deep, and nothing else', () => {
  expect(
    redacted({
      user: 'ann',
      dbPassword: 'x',
      tokens_used: 512,
      list: [{ 'x-api-key': 'k' }],
      session: { cookie: 'c' },
    }),
  ).toEqual({
    user: 'ann',
    dbPassword: '[REDACTED]',
    tokens_used: 512,
    list: [{ 'x-api-key': '[REDACTED]' }],
    session: { cookie: '[REDACTED]' },
  });
});
