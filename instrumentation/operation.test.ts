import { expect, it } from 'vitest';
import { operation } from './operation.ts';
import { onOperationEnd } from './operation-end.ts';

it('names each call from its arguments, and says when the work is done', async () => {
  const ended: string[] = [];
  const stop = onOperationEnd((id) => ended.push(id));
  const ship = operation((order: { id: number }) => `order-${order.id}`)(async (order) => order.id);
  const shipping = ship({ id: 7 });
  expect(ended).toEqual([]);
  expect(await shipping).toBe(7);
  expect(ended).toEqual(['order-7']);
  expect(operation('nightly')(() => 'done')()).toBe('done');
  expect(ended).toEqual(['order-7', 'nightly']);
  stop();
});

it('keeps `this`, and the work where the name cannot be had', () => {
  class Depot {
    stock = 3;
    take = operation((): string => {
      throw new Error('no name');
    })(function (this: Depot) {
      return this.stock;
    });
  }
  expect(new Depot().take()).toBe(3);
});
