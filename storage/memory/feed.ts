/** The live feed within one process. */
import type { Meter } from '../../base/meter.ts';
import type { Feed, FeedMessage } from '../contract.ts';

type Listener = (message: FeedMessage) => void;

/**
 * Listeners are called in a turn of the loop after the publisher's, so that showing an event never delays storing it. What is
 * published before that turn waits; beyond `queueMax` messages the newest are dropped and counted.
 */
export function createMemoryFeed(options: { queueMax?: number; meter?: Meter } = {}): Feed {
  const { queueMax = 1024, meter } = options;
  const dropped = meter?.counter('feed_dropped_total', 'Messages of the live feed dropped because its queue was full.');
  const failed = meter?.counter('feed_listener_failures_total', 'Messages of the live feed at which a listener threw.');
  const listeners = new Map<symbol, Listener>();
  let queue: FeedMessage[] = [];

  function deliver(): void {
    const messages = queue;
    queue = [];
    for (const message of messages) {
      for (const listener of listeners.values()) {
        try {
          listener(message);
        } catch {
          failed?.inc();
        }
      }
    }
  }

  return {
    name: 'feed in memory',
    async start() {},
    async stop() {
      listeners.clear();
    },
    publish(message) {
      if (listeners.size === 0) return;
      if (queue.length >= queueMax) {
        dropped?.inc();
        return;
      }
      if (queue.push(message) === 1) setImmediate(deliver);
    },
    subscribe(listener) {
      const key = Symbol();
      listeners.set(key, listener);
      return () => listeners.delete(key);
    },
  };
}
