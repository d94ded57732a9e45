/**
 * One of three replicas that hold the same stock. The first takes reservations, one after the other, and sends each to its
 * peers with the next number; a peer skips a number that it has had already, because a sender that saw no answer sends again.
 */
import { parseArgs } from 'node:util';
import { snapshot } from '@ai-debug/instrumentation';
import { call, serve } from './serve.js';

const { peer: peers = [] } = parseArgs({ options: { peer: { type: 'string', multiple: true } } }).values;

const prices = { espresso: 7.5, filter: 6, mug: 12, scale: 49 };
/** Per product, what a larger quantity takes off; changed by the shop's owner while it runs. */
const discounts = { mug: { tiers: [{ from: 2, percent: 10 }] } };
const stock = { espresso: 10_000, filter: 10_000, mug: 10_000, scale: 10_000 };
let position = 0;
let turn = Promise.resolve();

serve({
  'POST /reservations': async ({ sku, quantity }) => {
    const price = priceOf(sku, quantity);
    await inTurn(async () => {
      apply({ position: position + 1, sku, quantity });
      const update = { position, sku, quantity };
      await Promise.all(peers.map((peer) => call('inventory', 'POST', `${peer}/updates`, update)));
    });
    return [201, { price }];
  },
  'POST /updates': async (update) => [200, { applied: apply(update) }],
  'PUT /discounts': async (changed) => [200, Object.assign(discounts, changed)],
  'PUT /position': async (restored) => {
    position += restored.ahead;
    return [200, { position }];
  },
});

function priceOf(sku, quantity) {
  const full = prices[sku] * quantity;
  return full * (1 - discountPercent(sku, quantity) / 100);
}

function discountPercent(sku, quantity) {
  const discount = discounts[sku];
  if (discount === undefined) return 0;
  return discount.tiers.findLast((tier) => quantity >= tier.from)?.percent ?? 0;
}

function apply(update) {
  if (update.position <= position) return false;
  position = update.position;
  stock[update.sku] -= update.quantity;
  snapshot({ stock }, { checkpoint: 'reserved' });
  console.log(`reserved ${update.quantity} of ${update.sku}`);
  return true;
}

function inTurn(work) {
  const done = turn.then(work);
  turn = done.catch(() => {});
  return done;
}
