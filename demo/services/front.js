/** What customers talk to: takes an order, gives it its number and hands it on. */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { withOperation } from '@ai-debug/instrumentation';
import { call, serve } from './serve.js';

const { orders } = parseArgs({ options: { orders: { type: 'string' } } }).values;

serve({
  'POST /orders': ({ sku, quantity }) => {
    const order = randomUUID();
    return withOperation(order, async () => {
      console.log(`order received: ${quantity} of ${sku}`);
      try {
        return [201, await call('orders', 'POST', `${orders}/orders`, { order, sku, quantity })];
      } catch (error) {
        error.details = { order };
        throw error;
      }
    });
  },
});
