/** What every live feed promises: `Feed` in storage/contract.ts. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Feed, FeedMessage } from '../../storage/contract.ts';
import { logBlock, NOON } from '../support/blocks.ts';
import { insight } from '../support/rows.ts';

export interface FeedHarness {
  /** A started feed; opened again, the same feed in another process (or itself, where it never leaves its own). */
  open(): Promise<Feed>;
  drop(): Promise<void>;
}

export function describeFeed(name: string, make: () => Promise<FeedHarness>): void {
  describe(`${name} as feed`, () => {
    let harness: FeedHarness;
    const opened: Feed[] = [];

    async function open(): Promise<Feed> {
      const feed = await harness.open();
      opened.push(feed);
      return feed;
    }
    beforeEach(async () => {
      harness = await make();
    });
    afterEach(async () => {
      for (const feed of opened.splice(0)) await feed.stop();
      await harness?.drop();
    });

    /** Publishes until it arrives: a feed owes nothing that was sent before the listener was known everywhere. */
    async function arrives(publisher: Feed, message: FeedMessage, seen: FeedMessage[]): Promise<FeedMessage> {
      await vi.waitFor(
        () => {
          publisher.publish(message);
          expect(seen).not.toEqual([]);
        },
        { timeout: 10_000, interval: 20 },
      );
      return seen[0]!;
    }

    it('carries blocks and insights, byte for byte, to everyone', async () => {
      const [publisher, reader] = [await open(), await open()];
      const { index, payload } = logBlock([{ time: NOON, message: 'a\0b \u{1f389}' }]);
      const messages: FeedMessage[] = [
        { kind: 'block', tenant: 'default', index, payload },
        {
          kind: 'insight',
          tenant: 'ten\u00e4nt',
          change: 'regressed',
          insight: insight({ title: 'a\0b\ud800\u{1f389}' }),
        },
      ];
      for (const message of messages) {
        const seen: FeedMessage[] = [];
        const seenToo: FeedMessage[] = [];
        const into = (list: FeedMessage[]) => (one: FeedMessage) => one.kind === message.kind && list.push(one);
        const ends = [reader.subscribe(into(seen)), publisher.subscribe(into(seenToo))];
        for (const arrived of [await arrives(publisher, message, seen), await arrives(publisher, message, seenToo)]) {
          if (message.kind === 'block') {
            expect(arrived).toMatchObject({ kind: 'block', tenant: 'default' });
            const block = arrived as typeof message;
            expect(Buffer.compare(block.index, index)).toBe(0);
            expect(Buffer.compare(block.payload, payload)).toBe(0);
          } else expect(arrived).toEqual(message);
        }
        for (const end of ends) end();
      }
    });

    it('keeps the order of one publisher', async () => {
      const [publisher, reader] = [await open(), await open()];
      const titles: string[] = [];
      const seen: FeedMessage[] = [];
      reader.subscribe((one) => {
        seen.push(one);
        if (one.kind === 'insight') titles.push(one.insight.title);
      });
      const message = (title: string): FeedMessage => ({
        kind: 'insight',
        tenant: 't',
        change: 'opened',
        insight: insight({ title }),
      });
      await arrives(publisher, message('first'), seen);
      for (let i = 0; i < 50; i++) publisher.publish(message(`${i}`));
      await vi.waitFor(() => expect(titles.at(-1)).toBe('49'), { timeout: 10_000 });
      expect(titles.filter((title) => title !== 'first')).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
    });

    it('goes on for the others when one listener throws or leaves', async () => {
      const feed = await open();
      const seen: FeedMessage[] = [];
      const left: FeedMessage[] = [];
      feed.subscribe(() => {
        throw new Error('broken on purpose');
      });
      const leave = feed.subscribe((one) => left.push(one));
      feed.subscribe((one) => seen.push(one));
      leave();
      leave();
      await arrives(feed, { kind: 'insight', tenant: 't', change: 'opened', insight: insight() }, seen);
      expect(left).toEqual([]);
    });

    it('never waits and never throws, stopped or flooded', async () => {
      const feed = await open();
      const { index, payload } = logBlock([{ time: NOON }]);
      for (let i = 0; i < 5000; i++) feed.publish({ kind: 'block', tenant: 't', index, payload });
      await feed.stop();
      await feed.stop();
      feed.publish({ kind: 'block', tenant: 't', index, payload });
    });
  });
}
