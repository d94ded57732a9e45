import { expect, expectTypeOf, it } from 'vitest';
import * as api from './index.ts';

it('is declared as it is written', async () => {
  expectTypeOf<typeof import('./api.d.ts')>().toEqualTypeOf<typeof import('./index.ts')>();
  expectTypeOf<import('./api.d.ts').SnapshotOptions>().toEqualTypeOf<import('./index.ts').SnapshotOptions>();
});

it('does nothing, and works, where no SDK is loaded', () => {
  expect(api.withOperation('op', () => api.withCorrelation('corr', () => 5))).toBe(5);
  expect(api.currentOperation()).toBeUndefined();
  expect(api.currentCorrelation()).toBeUndefined();
  expect(api.snapshot({ a: 1 })).toBeUndefined();
  expect(api.snapshot('name', undefined)).toBeUndefined();
});
