/**
 * The live feed between processes, over Redis pub/sub: a block whole in one message. What cannot be sent now is dropped and counted;
 * a process in which nobody listens receives nothing.
 */
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Meter } from '../../base/meter.ts';
import type { Feed, FeedMessage } from '../contract.ts';
import { createRedisConnection } from './connection.ts';

export interface RedisFeedOptions {
  url: string;
  /** First part of the channel's name. */
  keyPrefix: string;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

// What Redis has not taken yet: a few hundred milliseconds of a busy receiver.
const UNSENT_BYTES_MAX = 16 << 20;

export function createRedisFeed(options: RedisFeedOptions): Feed {
  const { keyPrefix, meter } = options;
  const channel = `${keyPrefix}:feed`;
  const sending = createRedisConnection('feed over Redis', { ...options, anyNode: true });
  const receiving = createRedisConnection('feed from Redis', { ...options, anyNode: true });
  const dropped = meter.counter('feed_dropped_total', 'Messages of the live feed that could not be sent.');
  const failed = meter.counter('feed_listener_failures_total', 'Messages of the live feed at which a listener threw.');
  const unread = meter.counter('feed_unreadable_total', 'Messages on the channel of the live feed that are not ours.');
  const listeners = new Map<symbol, (message: FeedMessage) => void>();
  let unsentBytes = 0;
  let stopped = false;

  receiving.redis.on('messageBuffer', (_channel: Buffer, bytes: Buffer) => {
    const message = decodeMessage(bytes);
    if (message === null) {
      unread.inc();
      return;
    }
    for (const listener of listeners.values()) {
      try {
        listener(message);
      } catch {
        failed.inc();
      }
    }
  });
  // What was subscribed before the connection broke is subscribed again here, with what came up meanwhile.
  receiving.redis.on('ready', listen);

  function listen(): void {
    if (stopped || receiving.redis.status !== 'ready') return;
    const change = listeners.size > 0 ? receiving.redis.subscribe(channel) : receiving.redis.unsubscribe(channel);
    change.catch(() => {}); // the connection broke: `ready` comes again
  }

  async function send(bytes: Buffer): Promise<void> {
    unsentBytes += bytes.length;
    try {
      await sending.run((redis) => redis.publish(channel, bytes));
    } catch {
      dropped.inc(); // the connection has told why
    } finally {
      unsentBytes -= bytes.length;
    }
  }

  return {
    name: sending.name,

    async start() {
      await Promise.all([sending.start(), receiving.start()]);
      listen();
    },

    async stop() {
      stopped = true;
      listeners.clear();
      await Promise.all([sending.stop(), receiving.stop()]);
    },

    publish(message) {
      if (stopped) return;
      if (unsentBytes >= UNSENT_BYTES_MAX) dropped.inc();
      else void send(encodeMessage(message));
    },

    subscribe(listener) {
      const key = Symbol();
      listeners.set(key, listener);
      if (listeners.size === 1) listen();
      return () => {
        if (listeners.delete(key) && listeners.size === 0) listen();
      };
    },
  };
}

const VERSION = 1;

/** Version, length of the JSON, the JSON with all but bytes, then a block's index and payload. */
export function encodeMessage(message: FeedMessage): Buffer {
  const { index, payload, ...rest } = message.kind === 'block' ? message : { ...message, index: NONE, payload: NONE };
  const json = Buffer.from(JSON.stringify({ ...rest, indexLength: index.length }));
  const head = Buffer.alloc(5);
  head.writeUInt8(VERSION);
  head.writeUInt32BE(json.length, 1);
  return Buffer.concat([head, json, index, payload]);
}

/** Null for what is no message of this version: anybody may publish on a channel. */
export function decodeMessage(bytes: Buffer): FeedMessage | null {
  try {
    if (bytes[0] !== VERSION) return null;
    const indexStart = 5 + bytes.readUInt32BE(1);
    const { indexLength, ...message } = JSON.parse(bytes.toString('utf8', 5, indexStart));
    if (message.kind === 'insight') return message;
    const payloadStart = indexStart + indexLength;
    if (message.kind !== 'block' || !(payloadStart <= bytes.length)) return null;
    return { ...message, index: bytes.subarray(indexStart, payloadStart), payload: bytes.subarray(payloadStart) };
  } catch {
    return null;
  }
}

const NONE = new Uint8Array();
