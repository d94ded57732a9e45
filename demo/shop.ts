/**
 * The shop: three services in five processes, instrumented by the register flag alone, with customers who order all the time
 * and three ways in which it breaks. A fault is never a branch in a service that says `if (fault)`: it is bad data, a lock held by
 * somebody else, a replica restored from the wrong backup.
 */

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningProgram, startProgram } from './processes.ts';

export const FAULTS = {
  none: {
    story: 'nothing is broken',
    culprit: null,
  },
  exception: {
    story: 'somebody saves a discount for the bestseller without its tiers',
    culprit: { component_id: 'inventory', node_id: 'inventory-1' },
  },
  slow: {
    story: 'a backup holds the lock of the order store, again and again',
    culprit: { component_id: 'orders', node_id: 'orders-1' },
  },
  divergence: {
    story: 'inventory-2 is restored with a position ahead of its data, and skips the next updates as if it had them',
    culprit: { component_id: 'inventory', node_id: 'inventory-2' },
  },
} as const satisfies Record<string, { story: string; culprit: { component_id: string; node_id: string } | null }>;

export type Fault = keyof typeof FAULTS;

export interface Order {
  /** The operation id that the front gave it. */
  id: string;
  placed: boolean;
  durationMs: number;
}

export interface Shop {
  /** Customers order at a steady rate, whether earlier orders have been answered or not. */
  sell(durationMs: number, signal: AbortSignal): Promise<Order[]>;
  /** Breaks it. The returned function ends what has to be kept up. */
  break(fault: Fault): Promise<() => Promise<void>>;
  /** The services end and send what they still hold. Idempotent. */
  stop(): Promise<void>;
}

/** @param directory for the order store  @param otlp where the services send their telemetry, `http://host:port` */
export async function openShop(directory: string, otlp: string): Promise<Shop> {
  const running: RunningProgram[] = [];
  const store = join(directory, 'orders.sqlite');

  async function start(service: string, replica: number, ...args: string[]): Promise<string> {
    const program = await startProgram({
      name: `${service}-${replica}`,
      args: ['--import', '@ai-debug/instrumentation/register', `${service}.js`, ...args],
      // From here Node finds the instrumentation, in this repository as in an installed package.
      cwd: join(import.meta.dirname, 'services'),
      hide: /^(OTEL_|NODE_OPTIONS$)/,
      environment: {
        OTEL_SERVICE_NAME: service,
        OTEL_RESOURCE_ATTRIBUTES: `service.instance.id=${service}-${replica}`,
        OTEL_EXPORTER_OTLP_ENDPOINT: otlp,
        // A demo is watched: it shall not wait for batches to fill.
        OTEL_BSP_SCHEDULE_DELAY: `${EXPORT_DELAY_MS}`,
        OTEL_BLRP_SCHEDULE_DELAY: `${EXPORT_DELAY_MS}`,
      },
      ready: /^listening (http:\S+)$/m,
    });
    running.push(program);
    return program.said[1]!;
  }

  async function stop(): Promise<void> {
    // The front first: what is on its way behind it is answered.
    for (let program = running.pop(); program !== undefined; program = running.pop()) await program.stop();
  }

  try {
    const peers = await Promise.all([start('inventory', 2), start('inventory', 3)]);
    const inventory = await start('inventory', 1, ...peers.flatMap((peer) => ['--peer', peer]));
    const orders = await start('orders', 1, '--inventory', inventory, '--store', store);
    const front = await start('front', 1, '--orders', orders);
    // The first customers wait for code to be compiled; they are not part of what is compared later.
    for (let i = 0; i < FIRST_ORDERS; i++) await order(front, PRODUCTS[i % PRODUCTS.length]!, 1);
    const ways: Record<Fault, () => Promise<() => Promise<void>>> = {
      none: async () => async () => {},
      exception: () => put(`${inventory}/discounts`, { mug: { from: 2, percent: 10 } }),
      slow: async () => holdLock(store),
      divergence: () => put(`${peers[0]}/position`, { ahead: 3 }),
    };
    return { sell: (durationMs, signal) => sell(front, durationMs, signal), break: (fault) => ways[fault](), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** How long a service keeps telemetry back to send more at once. */
export const EXPORT_DELAY_MS = 200;

/** Five processes shall keep up with it on one busy core. */
const ORDERS_PER_SECOND = 10;
/** The mug is what most people come for. */
const PRODUCTS = ['mug', 'espresso', 'mug', 'filter'];
const FIRST_ORDERS = 20;
// Over five seconds an operation is slow by any standard.
const LOCK_MS = 6_500;
/** Time enough for all that waited. */
const UNLOCK_MS = 1_000;

async function sell(front: string, durationMs: number, signal: AbortSignal): Promise<Order[]> {
  const orders: Promise<Order>[] = [];
  const startedMs = performance.now();
  for (let i = 0; i < (durationMs / 1000) * ORDERS_PER_SECOND; i++) {
    const dueMs = startedMs + (i / ORDERS_PER_SECOND) * 1000;
    await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal });
    const placing = order(front, PRODUCTS[i % PRODUCTS.length]!, 1 + (i % 3));
    placing.catch(() => {}); // told below, unless nobody waits any more
    orders.push(placing);
  }
  return Promise.all(orders);
}

async function order(front: string, sku: string, quantity: number): Promise<Order> {
  const startedMs = performance.now();
  const ask = () => fetch(`${front}/orders`, { method: 'POST', body: JSON.stringify({ sku, quantity }) });
  // A server may close a connection that was idle just as it is used again: then nobody has read the order.
  const response = await ask().catch((error) => {
    if (error.cause?.code === 'ECONNRESET') return ask();
    throw error;
  });
  const { order } = (await response.json()) as { order: string };
  return { id: order, placed: response.ok, durationMs: performance.now() - startedMs };
}

async function put(url: string, body: unknown): Promise<() => Promise<void>> {
  const response = await fetch(url, { method: 'PUT', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return async () => {};
}

/** What a backup does that copies inside a transaction: nobody writes meanwhile. */
function holdLock(store: string): () => Promise<void> {
  const database = new DatabaseSync(store, { timeout: 5_000 });
  const ending = new AbortController();
  const holding = (async () => {
    while (!ending.signal.aborted) {
      database.exec('BEGIN IMMEDIATE');
      await sleep(LOCK_MS, undefined, ending).catch(() => {});
      database.exec('ROLLBACK');
      await sleep(UNLOCK_MS, undefined, ending).catch(() => {});
    }
  })().finally(() => database.close());
  holding.catch(() => {}); // told to whoever ends it
  return () => {
    ending.abort();
    return holding;
  };
}
