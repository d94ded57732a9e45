import { expect, test } from 'vitest';
import { compileLinear } from './linear-pattern.ts';

test('every match comes in order, empty ones left out', () => {
  expect([...compileLinear('a+|№\\d').matches('aab №1 a')]).toEqual([
    [0, 2],
    [4, 6],
    [7, 8],
  ]);
  expect([...compileLinear('\\bx*\\b|ab').matches('ab')]).toEqual([]);
});

test.each(['(', 'a*', '(?=a)', '(a)\\1', 'a'.repeat(1001)])('F34 %s is none', (pattern) => {
  expect(() => compileLinear(pattern)).toThrow();
});

test('F34 a pattern that would backtrack for years answers', () => {
  expect([...compileLinear('(a+)+$').matches(`${'a'.repeat(50_000)}!`)]).toEqual([]);
});
