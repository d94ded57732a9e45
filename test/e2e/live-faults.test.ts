/** Live readers that are stuck, that all come back at once, and that are very many. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Clock, systemClock } from '../../base/clock.ts';
import { STUCK_MS } from '../../query/live-outbox.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

let system: QuerySystem;
let aheadMs = 0;
const sockets: WebSocket[] = [];
beforeEach(async () => {
  const real = systemClock();
  const clock: Clock = { ...real, monotonicMs: () => real.monotonicMs() + aheadMs };
  system = await startQuerySystem({ clock });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await system.stop();
});

interface Message {
  type: string;
  channel: string;
  cursor: string;
  data: { message?: string; dropped?: number };
}

/** @returns what it was told, as it comes */
async function connect(): Promise<{ socket: WebSocket; got: Message[]; until(done: () => boolean): Promise<void> }> {
  const socket = new WebSocket(`${system.url.replace('http', 'ws')}/ws/debug`);
  sockets.push(socket);
  const got: Message[] = [];
  let told = () => {};
  socket.on('message', (data) => {
    got.push(JSON.parse(String(data)));
    told();
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const until = async (done: () => boolean) => {
    while (!done()) {
      await new Promise<void>((resolve) => {
        told = resolve;
      });
    }
  };
  return { socket, got, until };
}

const subscribe = (socket: WebSocket, channel: string, more: object = {}) =>
  socket.send(JSON.stringify({ action: 'subscribe', channel, ...more }));
const tell = (component_id: string, messages: string[]) =>
  system.service.postEvents(
    'default',
    messages.map((message) => ({
      event_type: 'log',
      component_type: 'agent',
      component_id,
      correlation_id: 'c',
      message,
    })),
  );
const counted = async (name: string) =>
  Number(new RegExp(`^ai_debug_${name} (\\d+)`, 'm').exec(await system.meter.registry.metrics())?.[1] ?? 0);

test('F25: a reader that takes nothing loses messages, holds up nobody, and is sent away with 1013', async () => {
  const stuck = await connect();
  const quick = await connect();
  for (const { socket, got, until } of [stuck, quick]) {
    subscribe(socket, 'debug:noisy');
    await until(() => got.some(({ type }) => type === 'subscribed'));
  }
  const closed = new Promise<number>((resolve) => stuck.socket.once('close', resolve));
  stuck.socket.pause();
  const heard = () => quick.got.filter(({ type }) => type === 'debug:event').length;
  // 20 MB: more than the kernel and the queue of one reader hold.
  const loud = Array.from({ length: 40 }, (_, i) => `${i} ${'x'.repeat(100_000)}`);
  for (let round = 1; round <= 5; round++) {
    await tell(
      'noisy',
      loud.map((text) => `${round} ${text}`),
    );
    await quick.until(() => heard() === round * 40);
  }
  expect(await counted('live_dropped_total')).toBeGreaterThan(0);
  expect(await counted('live_stuck_total')).toBe(0);
  aheadMs = STUCK_MS + 1;
  await tell('noisy', loud);
  await quick.until(() => heard() === 240);
  expect(await counted('live_stuck_total')).toBe(1);
  stuck.socket.resume();
  // Within the second that the server waits for its goodbye to be taken; past it the connection is cut.
  expect([1013, 1006]).toContain(await closed);
  await tell('noisy', ['7 after it']);
  await quick.until(() => heard() === 241);
});

test('F26: two hundred readers that are cut off and come back at once go on where they were, nothing lost, nothing twice', async () => {
  const readers = await Promise.all(Array.from({ length: 200 }, () => connect()));
  const texts = ({ got }: { got: Message[] }) => got.flatMap(({ data }) => data.message ?? []);
  for (const { socket } of readers) subscribe(socket, 'debug:storm');
  await Promise.all(readers.map(({ got, until }) => until(() => got.some(({ type }) => type === 'subscribed'))));
  await tell('storm', ['1', '2', '3']);
  await Promise.all(readers.map((reader) => reader.until(() => texts(reader).length === 3)));
  // Each was cut off somewhere else.
  const cursors = readers.map(({ got }, i) => got.filter(({ type }) => type === 'debug:event')[i % 3]!.cursor);
  for (const { socket } of readers) socket.terminate();
  await tell('storm', ['4', '5']);
  const back = await Promise.all(cursors.map(() => connect()));
  for (const [i, { socket }] of back.entries()) subscribe(socket, 'debug:storm', { since: cursors[i] });
  await tell('storm', ['6']);
  await Promise.all(back.map((reader) => reader.until(() => texts(reader).at(-1) === '6')));
  for (const [i, reader] of back.entries()) expect(texts(reader)).toEqual(['2', '3', '4', '5', '6'].slice(i % 3));
  expect(back.some(({ got }) => got.some(({ type }) => type === 'gap'))).toBe(false);
});

test('F26: ten thousand subscriptions cost some kilobytes each, and leave nothing behind', async () => {
  const [clients, channels] = [100, 100];
  const readers = await Promise.all(Array.from({ length: clients }, () => connect()));
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (const [i, { socket }] of readers.entries()) {
    for (let n = 0; n < channels; n++)
      subscribe(socket, `debug:c-${(i + n) % 250}`, { filter: { min_level: 'INFO', q: `x${n}` } });
  }
  await Promise.all(
    readers.map(({ got, until }) => until(() => got.filter(({ type }) => type === 'subscribed').length === channels)),
  );
  expect(await counted('live_subscriptions')).toBe(clients * channels);
  for (const { got } of readers) got.length = 0;
  globalThis.gc?.();
  // Both ends are in this process. A leak of messages or blocks for each would be a hundred times this.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(200 << 20);
  for (const { socket } of readers) socket.terminate();
  while ((await counted('live_subscriptions')) > 0) await sleep(10);
});
