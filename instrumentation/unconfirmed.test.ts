import { expect, it } from 'vitest';
import { Unconfirmed } from './unconfirmed.ts';

const [a, b, c, d] = [{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' }];

it('hands over what was not confirmed, in order, once', () => {
  const unconfirmed = new Unconfirmed<object>(10);
  for (const record of [a, b, c]) unconfirmed.add(record);
  unconfirmed.confirm([b]);
  expect(unconfirmed.take()).toEqual([a, c]);
  expect(unconfirmed.take()).toEqual([]);
});

it('lets the oldest go when it is full', () => {
  const unconfirmed = new Unconfirmed<object>(2);
  for (const record of [a, b, c, d]) unconfirmed.add(record);
  expect(unconfirmed.take()).toEqual([c, d]);
});
