/**
 * Fills a hot tier again that others have emptied: a Redis that was flushed, restarted, failed over or away. In the background, by one process
 * at a time, each tenant's newest blocks first, and in a quarter of the time, so that what arrives and what is asked hardly notices. Readers
 * need not know: the warm tier is asked beside a hot one that cannot promise to be complete.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import { decodeIndex } from '../model/block.ts';
import { NANOS_PER_MS } from '../model/time.ts';
import type { FoundBlock, Refill, RefillableHotStore, WarmStore } from './contract.ts';
import { wholeBlock } from './whole-block.ts';

export interface RefillerOptions {
  hot: RefillableHotStore;
  warm: WarmStore;
  /** How long a block stays in the hot tier after its arrival. */
  ttlMs: number;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export interface Refiller extends Part {
  /** One round now. @returns how many blocks were added; null while another process is at it  @throws DebugError UNAVAILABLE */
  run(): Promise<number | null>;
}

const LEASE = 'refill';
const LEASE_MS = 60_000;
/** What was lost shows within this time. */
const ROUND_MS = 5_000;
/** After a round that failed, doubled by each: a Redis that is full stays so for a while. */
const RETRY_MS_MAX = 60_000;
// The list of tenants costs a query: one that is new in between begins with nothing to refill.
const TENANTS_MS = 300_000;
const CHUNK = 16;
const REST = 3;

export function createRefiller({ hot, warm, ttlMs, clock, log, meter }: RefillerOptions): Refiller {
  const added = meter.counter(
    'hot_refill_blocks_total',
    'Blocks copied back from the warm tier to a hot tier that had lost them.',
  );
  const rounds = meter.counter('hot_refills_total', 'Tenants whose hot tier was looked through and filled again.', [
    'outcome',
  ]);
  for (const outcome of ['whole', 'full', 'lost again']) rounds.inc({ outcome }, 0);
  let lackingNow = 0;
  meter.gauge(
    'hot_lacking_tenants',
    'Tenants of which the hot tier may lack blocks of the last hour.',
    () => lackingNow,
  );
  const holder = randomUUID();
  let known: { tenants: string[]; atMs: number } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<unknown> = Promise.resolve();
  let retryMs = ROUND_MS;
  let stopping = false;

  async function run(): Promise<number | null> {
    if (known === undefined || clock.monotonicMs() - known.atMs > TENANTS_MS)
      known = { tenants: await warm.tenants(), atMs: clock.monotonicMs() };
    const lacking = await hot.lacking(known.tenants);
    lackingNow = lacking.length;
    if (lacking.length === 0) return 0;
    if (!(await warm.takeLease(LEASE, holder, LEASE_MS))) return null;
    let count = 0;
    try {
      for (const tenant of lacking) {
        if (stopping) break;
        count += await fill(tenant);
        lackingNow--;
      }
    } finally {
      await warm.endLease(LEASE, holder);
      if (count > 0) log.info({ blocks: count }, 'the hot tier was filled again from the warm tier');
    }
    return count;
  }

  async function fill(tenant: string): Promise<number> {
    const refill = hot.refill(tenant);
    const start = clock.nowNanos() - BigInt(ttlMs) * NANOS_PER_MS;
    let count = 0;
    let room = true;
    for await (const chunk of inChunks(warm.blocks({ tenant, start }))) {
      if (stopping) return count;
      const begin = clock.monotonicMs();
      for (const block of await refill.missing(chunk)) {
        const outcome = await copy(refill, block);
        if (outcome === 'full') room = false;
        if (outcome === 'added') count++;
        if (!room) break;
      }
      if (!room) break;
      if (!(await warm.takeLease(LEASE, holder, LEASE_MS)))
        throw new DebugError('UNAVAILABLE', 'another process is filling the hot tier');
      await sleep(REST * (clock.monotonicMs() - begin), undefined, { ref: false });
    }
    added.inc(count);
    const whole = await refill.end();
    rounds.inc({ outcome: whole ? (room ? 'whole' : 'full') : 'lost again' });
    return count;
  }

  async function copy(refill: Refill, found: FoundBlock): Promise<'added' | 'full' | 'too old'> {
    const { receivedAt } = decodeIndex(found.index).header;
    // Not for longer than it would have stayed: merging waits for it to leave (storage/merge.ts).
    const leftMs = ttlMs - Number((clock.nowNanos() - receivedAt) / NANOS_PER_MS);
    if (leftMs < 1) return 'too old';
    return (await refill.add(await wholeBlock(found), Math.min(leftMs, ttlMs))) ? 'added' : 'full';
  }

  function next(delayMs: number): void {
    timer = setTimeout(() => {
      round = run()
        .then(() => {
          retryMs = ROUND_MS;
          if (!stopping) next(ROUND_MS);
        })
        .catch((error) => {
          // A tier that is away has said so itself.
          if (!(error instanceof DebugError && error.code === 'UNAVAILABLE'))
            log.warn({ err: error }, 'refilling the hot tier failed');
          retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
          if (!stopping) next(retryMs);
        });
    }, delayMs);
    timer.unref();
  }

  return {
    name: 'refiller',
    run,
    async start() {
      stopping = false;
      if (timer === undefined) next(ROUND_MS);
    },
    async stop() {
      stopping = true;
      clearTimeout(timer);
      timer = undefined;
      await round;
    },
  };
}

async function* inChunks(blocks: AsyncIterable<FoundBlock>): AsyncGenerator<FoundBlock[]> {
  let chunk: FoundBlock[] = [];
  for await (const block of blocks) {
    if (chunk.push(block) < CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
