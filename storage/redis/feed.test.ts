import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, inject, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createMeter } from '../../base/meter.ts';
import { logBlock, NOON } from '../../test/support/blocks.ts';
import { type Link, startLink } from '../../test/support/link.ts';
import type { Feed, FeedMessage } from '../contract.ts';
import { createRedisFeed, decodeMessage, encodeMessage } from './feed.ts';

let link: Link;
let keyPrefix: string;
let feeds: Feed[];
const { index, payload } = logBlock([{ time: NOON }]);
const message: FeedMessage = { kind: 'block', tenant: 'default', index, payload };

beforeEach(async () => {
  link = await startLink(inject('redisUrl'));
  keyPrefix = `test-${randomBytes(8).toString('hex')}`;
  feeds = [];
});
afterEach(async () => {
  for (const feed of feeds) await feed.stop();
  await link.stop();
});

function feedAt(url: string, meter = createMeter()): Feed {
  const feed = createRedisFeed({ url, keyPrefix, clock: systemClock(), log: pino({ level: 'silent' }), meter });
  feeds.push(feed);
  return feed;
}

it('goes on after the way was cut, for who listened before and for who came meanwhile', async () => {
  const [reader, publisher] = [feedAt(link.url), feedAt(inject('redisUrl'))];
  await Promise.all([reader.start(), publisher.start()]);
  const seen: FeedMessage[] = [];
  const seenToo: FeedMessage[] = [];
  reader.subscribe((one) => seen.push(one));
  await link.refuse();
  reader.subscribe((one) => seenToo.push(one));
  await link.accept();
  await vi.waitFor(
    () => {
      publisher.publish(message);
      expect(seen.length).toBeGreaterThan(0);
    },
    { timeout: 10_000, interval: 50 },
  );
  expect(seenToo.length).toBe(seen.length);
});

it('starts without Redis, drops and counts what it cannot send, and carries when Redis is there', async () => {
  await link.refuse();
  const meter = createMeter();
  const feed = feedAt(link.url, meter);
  await feed.start();
  feed.publish(message);
  await vi.waitFor(async () => expect(await countOf(meter, 'feed_dropped_total')).toBe(1));
  const seen: FeedMessage[] = [];
  feed.subscribe((one) => seen.push(one));
  await link.accept();
  await vi.waitFor(
    () => {
      feed.publish(message);
      expect(seen.length).toBeGreaterThan(0);
    },
    { timeout: 10_000, interval: 100 },
  );
});

it('holds back what a Redis that hangs does not take, up to a bound', async () => {
  const meter = createMeter();
  const feed = feedAt(link.url, meter);
  await feed.start();
  link.hang();
  const large: FeedMessage = { ...message, payload: new Uint8Array(1 << 20) };
  for (let i = 0; i < 50; i++) feed.publish(large);
  expect(await countOf(meter, 'feed_dropped_total')).toBeGreaterThanOrEqual(50 - 17);
});

it('brings nothing to a process in which nobody listens', async () => {
  const feed = feedAt(inject('redisUrl'));
  await feed.start();
  const admin = new Redis(inject('redisUrl'));
  const subscribers = async () => (await admin.pubsub('NUMSUB', `${keyPrefix}:feed`))[1];
  expect(await subscribers()).toBe(0);
  const leave = feed.subscribe(() => {});
  await vi.waitFor(async () => expect(await subscribers()).toBe(1));
  leave();
  await vi.waitFor(async () => expect(await subscribers()).toBe(0));
  admin.disconnect();
});

it('passes over what others say on its channel', async () => {
  const meter = createMeter();
  const feed = feedAt(inject('redisUrl'), meter);
  await feed.start();
  const seen: FeedMessage[] = [];
  feed.subscribe((one) => seen.push(one));
  const admin = new Redis(inject('redisUrl'));
  const strange = ['', 'hello', Buffer.of(1), Buffer.of(1, 255, 255, 255, 255), encodeMessage(message).subarray(0, 40)];
  await vi.waitFor(
    async () => {
      for (const bytes of strange) await admin.publish(`${keyPrefix}:feed`, bytes);
      feed.publish(message);
      expect(seen.length).toBeGreaterThan(0);
    },
    { interval: 50 },
  );
  expect(seen.every(({ kind }) => kind === 'block')).toBe(true);
  expect(await countOf(meter, 'feed_unreadable_total')).toBeGreaterThanOrEqual(strange.length);
  admin.disconnect();
});

it('takes no truncated message for a whole one', () => {
  const whole = encodeMessage(message);
  const { index: from } = decodeMessage(whole) as { index: Uint8Array };
  for (let length = 0; length < whole.indexOf(Buffer.from(from)) + from.length; length++) {
    expect(decodeMessage(whole.subarray(0, length))).toBeNull();
  }
});

async function countOf(meter: ReturnType<typeof createMeter>, name: string): Promise<number> {
  const metric = await meter.registry.getSingleMetric(`ai_debug_${name}`)!.get();
  return metric.values[0]?.value ?? 0;
}
