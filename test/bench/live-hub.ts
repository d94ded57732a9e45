/**
 * `node test/bench/live-hub.ts [--subscribers N --events N --json FILE]`: what watching costs the process that takes events in. The live hub
 * alone, without sockets: blocks as a busy receiver commits them, and readers as live.ts has them. Told in CPU time, which other work on
 * the machine hardly changes, beside the same blocks when nobody listens.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createLive } from '../../query/live.ts';
import { parseChannel } from '../../query/live-channels.ts';
import type { FeedMessage } from '../../storage/contract.ts';
import { logBlock, NOON } from '../support/blocks.ts';
import { COMPONENTS, ERROR_EVERY, NEEDLES, wishOf } from './live-wishes.ts';
import { printTable } from './table.ts';

const { values: options } = parseArgs({
  options: {
    subscribers: { type: 'string', default: '1000' },
    events: { type: 'string', default: '50000' },
    json: { type: 'string' },
  },
});
// 20 flushes a second at 5,000 events a second.
const EVENTS_A_BLOCK = 250;

const blocks = Array.from({ length: 40 }, (_, b) =>
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
for (const [what, count, first] of [
  ['nobody listens', 0, 0],
  ['all but the one that takes everything', Number(options.subscribers), 1],
  ['all', Number(options.subscribers), 0],
] as const)
  rows.push({ what, ...(await measure(count, first)) });
printTable(
  `The live hub, ${options.subscribers} readers with different filters`,
  ['who', 'CPU µs an event', 'messages an event'],
  rows.map(({ what, microseconds, messages }) => [what, microseconds, messages]),
);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ live_hub: rows }, null, 2)}\n`);

async function measure(subscribers: number, first: number) {
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
  let messages = 0;
  for (let i = first; i < subscribers; i++) {
    const { channel, filter } = wishOf(i);
    const deliver = (message: { text(channel: string): string }) => {
      messages += message.text(channel).length > 0 ? 1 : 0;
    };
    live.subscribe({ tenant: 't', channel: parseChannel(channel)!, filter, deliver, gap: () => {} });
  }
  const pass = async (events: number) => {
    for (let b = 0; b * EVENTS_A_BLOCK < events; b++) {
      const { index, payload } = blocks[b % blocks.length]!;
      listener({ kind: 'block', tenant: 't', index, payload });
      // The hub shows a block in turns of the loop of its own.
      await new Promise(setImmediate);
    }
  };
  await pass(10_000); // compiles
  messages = 0;
  const before = process.cpuUsage();
  await pass(Number(options.events));
  const { user, system } = process.cpuUsage(before);
  await live.stop();
  const events = Number(options.events);
  return { microseconds: (user + system) / events, messages: messages / events };
}
