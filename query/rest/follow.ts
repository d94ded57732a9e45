/** `GET /events?follow=true`: the live feed as NDJSON, for curl and programs, with the filters of the list. */
import type { ServerResponse } from 'node:http';
import type { Context } from 'koa';
import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import { formatNanos } from '../../model/time.ts';
import type { Live } from '../live.ts';
import type { Channel } from '../live-channels.ts';
import { createOutbox } from '../live-outbox.ts';
import { cursor, eventFilter } from './inputs.ts';
import { parseQuery } from './route.ts';

/** A live list has no end and no pages; `since` is the cursor of the last message that was read. */
const followQuery = z.strictObject({ ...eventFilter, follow: z.literal('true'), since: cursor.optional() });

export interface Followers {
  /** @param query as it came  @throws DebugError MALFORMED, or UNAVAILABLE when too many follow */
  follow(ctx: Context, tenant: string, query: Record<string, unknown>): void;
  readonly size: number;
  /** Ends every response. */
  stop(): void;
}

/** @param live what is followed */
export function createFollowers(live: Live, clock: Clock): Followers {
  const ends = new Map<ServerResponse, { flush(): void; end(): void }>();
  return {
    get size() {
      return ends.size;
    },

    follow(ctx, tenant, query) {
      const { follow: _, since, level, component_type, ...filter } = parseQuery(followQuery, query);
      if (ends.size >= FOLLOWERS_MAX) {
        throw new DebugError('UNAVAILABLE', `${FOLLOWERS_MAX} lists are followed already`, { retryAfterSeconds: 30 });
      }
      const { res } = ctx;
      ctx.respond = false;
      res.writeHead(200, { 'content-type': 'application/x-ndjson; charset=utf-8', 'x-accel-buffering': 'no' });
      const say = (type: string, data: object) =>
        JSON.stringify({
          type,
          channel: CHANNEL,
          timestamp: formatNanos(clock.nowNanos()),
          cursor: live.cursor(),
          data,
        });
      const outbox = createOutbox<string>({
        clock,
        flusher: live.flusher,
        write: (texts, taken) => res.write(`${texts.join('\n')}\n`, taken),
        gapText: (dropped) => say('gap', { dropped }),
        giveUp: () => res.destroy(),
      });
      outbox.push(say('connected', {}));
      const leave = live.subscribe({
        tenant,
        channel: channelOf(filter),
        filter: {
          ...filter,
          message_type: EVENT_MESSAGES,
          ...(level !== undefined && { level: [level] }),
          ...(component_type !== undefined && { component_type: [component_type] }),
        },
        since,
        deliver: (message) => outbox.push(message.text(CHANNEL)),
        gap: outbox.gap,
      });
      // Proxies close connections that say nothing.
      const heartbeat = setInterval(() => outbox.push(say('ping', {})), HEARTBEAT_MS);
      const end = () => {
        clearInterval(heartbeat);
        leave();
        outbox.close();
        ends.delete(res);
      };
      ends.set(res, { flush: outbox.flush, end });
      res.once('close', end);
    },

    stop() {
      for (const [res, { flush, end }] of ends) {
        flush();
        end();
        res.end();
      }
    },
  };
}

const CHANNEL = 'debug:all';
// Each may keep 4 MiB waiting.
const FOLLOWERS_MAX = 1000;
const HEARTBEAT_MS = 30_000;
/** What the list has: events, snapshots and metric points. */
const EVENT_MESSAGES = ['debug:event', 'debug:state_change', 'debug:metric_update'] as const;

/** The narrowest that holds all that is asked for. */
function channelOf({
  component_id,
  correlation_id,
}: {
  component_id?: string | undefined;
  correlation_id?: string | undefined;
}): Channel {
  if (correlation_id !== undefined) return { kind: 'correlation', id: correlation_id };
  return component_id === undefined ? { kind: 'all' } : { kind: 'component', id: component_id };
}
