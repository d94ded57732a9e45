/**
 * `node test/bench/live-hub.ts [--subscribers N --events N --rate N --json FILE]`: what watching costs the process that takes events in. The
 * live hub alone, and with its WebSockets: blocks as a busy receiver commits them, readers as live.ts has them. Told in CPU time of the
 * thread that takes events in, which other work on the machine changes little, beside the same blocks when nobody listens.
 */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { systemClock } from '../../base/clock.ts';
import { listen } from '../../base/listen.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createLive, type LiveMessage } from '../../query/live.ts';
import { parseChannel } from '../../query/live-channels.ts';
import { createSockets } from '../../query/ws/sockets.ts';
import type { FeedMessage } from '../../storage/contract.ts';
import { logBlock, NOON } from '../support/blocks.ts';
import { startReaders } from './live-readers.ts';
import { COMPONENTS, ERROR_EVERY, NEEDLES, wishOf } from './live-wishes.ts';
import { printTable } from './table.ts';

const { values: options } = parseArgs({
  options: {
    subscribers: { type: 'string', default: '1000' },
    events: { type: 'string', default: '50000' },
    rate: { type: 'string', default: '5000' },
    json: { type: 'string' },
  },
});
const subscribers = Number(options.subscribers);
// A request of live.ts: five components, ten events of each.
const EVENTS_A_BLOCK = 50;

const blocks = Array.from({ length: 200 }, (_, b) =>
  logBlock(
    Array.from({ length: EVENTS_A_BLOCK }, (_, i) => {
      const event = b * EVENTS_A_BLOCK + i;
      return {
        time: NOON + BigInt(event),
        component: { type: 'service', id: `shop-${Math.floor(event / 10) % COMPONENTS}` },
        severity: event % ERROR_EVERY === 0 ? 17 : 9,
        message: `request ${b} stored event ${event} with needle-${event % NEEDLES} from the upstream within 12 ms`,
      };
    }),
  ),
);

const rows = [];
for (const [what, join] of [
  ['nobody listens', async () => ({ messages: async () => 0, leave: async () => {} })],
  ['without sockets, all but the one that takes everything', (live: Live) => inProcess(live, 1)],
  ['without sockets, all', (live: Live) => inProcess(live, 0)],
  ['WebSockets, all, one stuck', overSockets],
] as const)
  rows.push({ what, ...(await measure(join)) });
printTable(
  `The live hub, ${subscribers} readers with different filters, ${options.rate} events a second`,
  ['who', 'CPU µs an event', 'kernel', 'messages an event'],
  rows.map(({ what, microseconds, kernel, messages }) => [what, microseconds, kernel, messages]),
);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ live_hub: rows }, null, 2)}\n`);

type Live = ReturnType<typeof createLive>;

interface Crowd {
  /** Since it was asked last. */
  messages(): Promise<number>;
  leave(): Promise<unknown>;
}

async function measure(join: (live: Live) => Promise<Crowd>) {
  let listener: (message: FeedMessage) => void = () => {};
  const live = createLive({
    feed: {
      subscribe: (given) => {
        listener = given;
        return () => {};
      },
    },
    rows: { traceCorrelations: async () => [], snapshots: async () => [] },
    clock: systemClock(),
    log: createLogger('silent'),
    meter: createMeter(),
  });
  await live.start();
  const crowd = await join(live);
  const pass = async (events: number) => {
    const beginMs = performance.now();
    for (let b = 0; b * EVENTS_A_BLOCK < events; b++) {
      const waitMs = beginMs + (b * EVENTS_A_BLOCK * 1000) / Number(options.rate) - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      const { index, payload } = blocks[b % blocks.length]!;
      listener({ kind: 'block', tenant: 't', index, payload });
      // The hub shows a block in turns of the loop of its own.
      await new Promise(setImmediate);
    }
    await sleep(100);
  };
  const events = Number(options.events);
  await pass(Math.min(events, 10_000)); // compiles
  await crowd.messages();
  const before = process.threadCpuUsage();
  await pass(events);
  const { user, system } = process.threadCpuUsage(before);
  const messages = await crowd.messages();
  await crowd.leave();
  await live.stop();
  return { microseconds: (user + system) / events, kernel: system / events, messages: messages / events };
}

async function inProcess(live: Live, first: number): Promise<Crowd> {
  let messages = 0;
  for (let i = first; i < subscribers; i++) {
    const { channel, filter } = wishOf(i);
    const deliver = (message: LiveMessage) => {
      messages += message.rest().length > 0 ? 1 : 0;
    };
    live.subscribe({ tenant: 't', channel: parseChannel(channel)!, filter, deliver, gap: () => {} });
  }
  return {
    async messages() {
      const since = messages;
      messages = 0;
      return since;
    },
    leave: async () => {},
  };
}

async function overSockets(live: Live): Promise<Crowd> {
  const sockets = createSockets({
    live,
    clock: systemClock(),
    authenticate: () => ({ name: 'bench', tenant: 't', scopes: new Set(['read'] as const) }),
    meter: createMeter(),
  });
  const server = createServer().on('upgrade', sockets.upgrade);
  const { port } = await listen(server, '127.0.0.1', 0, 'the bench', 'none');
  const readers = await startReaders(`http://127.0.0.1:${port}`, subscribers);
  return {
    messages: async () => (await readers.heard()).messages,
    async leave() {
      await readers.stop();
      await sockets.stop();
      server.close();
    },
  };
}
