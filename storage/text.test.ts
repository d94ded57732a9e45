import { expect, it } from 'vitest';
import { rowText, rowTime } from './text.ts';

it('text of rows has nothing that an engine refuses, and is else as it was', () => {
  expect(rowText('a\0b\0')).toBe('a\uFFFDb\uFFFD');
  expect(rowText('a\ud800b\udc00')).toBe('a\uFFFDb\uFFFD');
  expect(rowText('')).toBe('');
  expect(rowText(' \u{1f469}\u{200d}\u{1f680}\n')).toBe(' \u{1f469}\u{200d}\u{1f680}\n');
});

it('times of rows end where a signed integer ends', () => {
  expect(rowTime(0n)).toBe(0n);
  expect(rowTime(2n ** 63n - 1n)).toBe(2n ** 63n - 1n);
  expect(rowTime(2n ** 64n - 1n)).toBe(2n ** 63n - 1n);
});
