import { expect, test } from 'vitest';
import { IDENTITY_BYTES_MAX, identityOf } from './identity.ts';

const of = (text: string) => {
  const bytes = Buffer.from(text);
  return identityOf(bytes, 0, bytes.length);
};

test('F22 a name of usual length stays as it is; longer ones are cut between characters, marked, and told apart', () => {
  const usual = 'ü'.repeat(IDENTITY_BYTES_MAX / 2);
  expect(of(usual)).toBe(usual);
  const [one, other] = [of(`${usual}a`), of(`${usual}b`)];
  expect(one).toMatch(/^ü{64}…[0-9a-f]{16}$/);
  expect(of(`${usual}a`)).toBe(one);
  expect(other).not.toBe(one);
  expect(of(`x${usual}`)).toMatch(/^xü{63}…[0-9a-f]{16}$/);
});
