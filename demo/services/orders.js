/** Reserves the goods of an order at the inventory and keeps the order in a store of its own. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { call, serve } from './serve.js';

const { inventory, store } = parseArgs({
  options: { inventory: { type: 'string' }, store: { type: 'string' } },
}).values;

const database = new DatabaseSync(store);
database.exec('PRAGMA journal_mode = WAL');
database.exec('CREATE TABLE orders (id TEXT PRIMARY KEY, sku TEXT, quantity INTEGER, price REAL) STRICT');
const insert = database.prepare('INSERT INTO orders VALUES (?, ?, ?, ?)');

serve({
  'POST /orders': async ({ order, sku, quantity }) => {
    const { price } = await call('inventory', 'POST', `${inventory}/reservations`, { order, sku, quantity });
    await save(order, sku, quantity, price);
    console.log(`order placed: ${quantity} of ${sku} for ${price}`);
    return [201, { order, price }];
  },
});

/** Waits for its turn when another process, such as a backup, holds the store's lock. */
async function save(...order) {
  const startedMs = performance.now();
  for (;;) {
    try {
      insert.run(...order);
      break;
    } catch (error) {
      if (error.errcode !== SQLITE_BUSY) throw error;
      await sleep(20);
    }
  }
  const waitedMs = Math.round(performance.now() - startedMs);
  if (waitedMs > 500) console.warn(`store was locked for ${waitedMs} ms`);
}

const SQLITE_BUSY = 5;
