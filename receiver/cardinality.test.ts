import { expect, test } from 'vitest';
import { createMeter } from '../base/meter.ts';
import { createCardinality, NAME_KINDS } from './cardinality.ts';

test('F22 names beyond the bound have no count of their own, of each kind and tenant, until others are forgotten', async () => {
  let hours = 0;
  const clock = { nowNanos: () => 0n, monotonicMs: () => hours * 3_600_001 };
  const meter = createMeter();
  const { admits } = createCardinality({ namesMax: 3, clock, meter });
  const admitted = (...names: string[]) => names.filter((name) => admits('one', 'component', name));
  expect(admitted('a', 'b', 'c', 'd', 'a', 'e')).toEqual(['a', 'b', 'c', 'a']);
  expect([admits('other', 'component', 'd'), admits('one', 'template', 'd')]).toEqual([true, true]);
  expect(NAME_KINDS).toEqual(['component', 'template', 'peer', 'resource']);
  hours = 1;
  expect(admitted('a', 'd')).toEqual(['a']); // b and c may come again
  hours = 2;
  expect(admitted('d', 'e', 'f', 'a')).toEqual(['d', 'e', 'a']);
  expect(await meter.registry.metrics()).toMatch(/cardinality_overflow_total\{kind="component"\} 4/);
});
