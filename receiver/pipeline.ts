/**
 * Behind the acknowledgement: takes entries from the journal, derives blocks and commits them to the store, in order. While the store
 * commits one flush the next is derived, and never more than that: the journal is the queue. While the store is away it grows, and
 * what was not committed is taken again after a restart. A flush carries the position of its last entry, so that the store can tell
 * it has it already, and what its requests hold, so that a request that another receiver stored is left out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import type { Indexer } from '../otlp/walk.ts';
import { type Arrival, type Derived, type DeriveSettings, derive } from './derive.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { KnownRecords, type KnownStore, StoredMeanwhile } from './known-records.ts';
import type { SetAside } from './quarantine.ts';
import type { RecentIds } from './recent-ids.ts';
import { answersSent } from './turns.ts';

/** What the pipeline needs of a store. */
export interface Sink extends KnownStore {
  /**
   * MUST be durable when it resolves, and change nothing for a ledger position that it has already.
   * @param others is told, within the commit, what other receivers stored; what it throws undoes the commit and is thrown as it is
   * @returns those of the flush's requests that were committed before by another flush; when there are any, nothing was changed
   * @throws DebugError CONFLICT where the journal's line is neither at `after` nor at `position`, as another process writes it too
   */
  commit(
    flush: Derived & { ledger: { journal: string; position: bigint; after: bigint } },
    others: ReturnType<KnownRecords['others']>,
  ): Promise<readonly string[]>;
  /** Every entry up to and including this position is committed; 0n for a journal that it does not know. */
  committedPosition(journal: string): Promise<bigint>;
}

export interface PipelineSettings extends DeriveSettings {
  journal: Journal;
  sink: Sink;
  index: Indexer;
  recent: RecentIds;
  /** Keeps what cannot be derived, which is a mistake of ours: one request must not stop all that come behind it. */
  setAside: SetAside;
  /** `DEBUG_BATCH_SIZE_MS`: the longest that a batch waits while others are on their way; an idle writer does not wait. */
  batchMs: number;
  /** Told of each flush when it is committed. MUST NOT throw. */
  committed: (flush: Derived) => void;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export interface Pipeline extends Part {
  /**
   * A read barrier: resolves when everything acknowledged before the call is committed, at the latest after `timeoutMs`.
   * @returns bytes of acknowledged requests that are still on their way; 0 unless the store is slow or away
   */
  settled(timeoutMs: number): Promise<number>;
  /** Why commits fail just now; null while they do not. */
  trouble(): string | null;
}

// Bounds the memory of one flush: its bodies, their index and their blocks are some four times this.
const FLUSH_BYTES_MAX = 8 << 20;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 2000;

export function createPipeline(settings: PipelineSettings): Pipeline {
  const { journal, sink, clock, log, meter } = settings;
  const known = new KnownRecords({ recent: settings.recent, store: sink, clock, meter });
  const records = meter.counter('records_stored_total', 'Records committed to the store');
  const duplicateRecords = meter.counter(
    'records_duplicate_total',
    'Records left out because they were stored already',
  );
  const failures = meter.counter('commit_failures_total', 'What the store refused and was asked again');
  const seconds = meter.histogram(
    'commit_seconds',
    'From taking entries to their commit',
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
  );
  const stopping = new AbortController();
  const waiters = new Set<{ position: bigint; resolve: () => void }>();
  let committed = 0n; // every entry up to it is in the store
  let trouble: string | null = null;
  let hurry: (() => void) | null = null;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    await persist('ask the store what it has', attach);
    let lastFlushMs = Number.NEGATIVE_INFINITY;
    let committing: Promise<void> = Promise.resolve();
    while (!stopping.signal.aborted) {
      const entries = await persist('read the journal', () => journal.take(FLUSH_BYTES_MAX, stopping.signal));
      // Also of a journal that is stopped before us, where a stop runs out of time: asked again it would answer so without a turn of the loop.
      if (entries.length === 0) break;
      const startMs = clock.monotonicMs();
      if (!settings.isBehind?.()) await answersSent();
      // Where the store was away at the start, the journal may hand out what it has: the ledger knows.
      const waiting = entries.filter(({ position }) => position > committed);
      for (const run of tenantRuns(waiting)) {
        const flush = await prepare(run.entries, run.position);
        await committing;
        committing = store(flush).then(() => seconds.observe((clock.monotonicMs() - startMs) / 1000));
        committing.catch(() => {}); // thrown again where it is awaited
      }
      // Half the wait leaves the other half to the commit: live readers are promised 100 ms.
      const waitMs = settings.batchMs / 2 - (clock.monotonicMs() - lastFlushMs);
      lastFlushMs = clock.monotonicMs();
      if (waitMs > 0 && waiters.size === 0) await breath(waitMs);
    }
    await committing;
  }

  async function attach(): Promise<void> {
    committed = await journal.seek(await sink.committedPosition(journal.line));
    await known.recall();
  }

  async function prepare(entries: readonly JournalEntry[], position: bigint): Promise<Prepared> {
    const { tenant } = entries[0]!;
    const all = await arrivalsOf(entries);
    const fresh = await known.withoutStored(tenant, all, (look) => persist('look for what is stored', look));
    try {
      return { ...fresh, position, derived: await derive(tenant, fresh.arrivals, settings) };
    } catch (error) {
      const arrivals = await sound(tenant, fresh.arrivals, error);
      return { ...fresh, position, arrivals, derived: await derive(tenant, arrivals, settings) };
    }
  }

  /** One by one, those that can be derived; the others are set aside. All of them, should it be only together that they cannot. */
  async function sound(tenant: string, arrivals: readonly EntryArrival[], reason: unknown): Promise<EntryArrival[]> {
    const { calls: _, ...alone } = settings;
    const sound: EntryArrival[] = [];
    for (const arrival of arrivals) {
      try {
        await derive(tenant, [arrival], alone);
        sound.push(arrival);
      } catch (error) {
        await settings.setAside(arrival.entry, error);
      }
    }
    if (sound.length < arrivals.length) return sound;
    for (const { entry } of sound) await settings.setAside(entry, reason);
    return [];
  }

  async function store(prepared: Prepared): Promise<void> {
    const { position, derived } = prepared;
    const { tenant } = derived;
    let { arrivals, duplicates } = prepared;
    let flush = derived;
    // The templates were merged on the way to the first one, and are not told again.
    // Its spans have met those of other flushes already: made again, calls are joined within it alone.
    const { calls: _, ...alone } = settings;
    const again = async () => ({ ...(await derive(tenant, arrivals, alone)), templates: derived.templates });
    for (;;) {
      const before = recordsIn(arrivals);
      await persist('look for what is stored', () => known.withoutTaken(tenant, arrivals, prepared));
      const taken = before - recordsIn(arrivals);
      if (taken > 0) flush = await again();
      duplicates += taken;
      const repeated = await persist('commit to the store', () => commit({ tenant, arrivals, flush, position }));
      if (repeated === null) continue;
      if (repeated.length === 0) break;
      // Sent to another receiver before, or before a restart: rare, so that the whole flush is made again without it.
      // The other may have committed more of them in between: those of each round are left out in all that follow.
      const rest = arrivals.filter(({ request }) => !repeated.includes(request!));
      duplicates += recordsIn(arrivals) - recordsIn(rest);
      arrivals = rest;
      flush = await again();
    }
    known.flushed();
    settings.resources?.stored(tenant, flush.resources);
    committed = position;
    for (const waiter of waiters) if (waiter.position <= committed) waiter.resolve();
    void journal.release(position);
    records.inc(flush.blocks.reduce((sum, block) => sum + block.count, 0));
    duplicateRecords.inc(duplicates);
    settings.committed(flush);
  }

  /** @returns requests that the store has, as it says; null where the flush is to be looked at again */
  async function commit({ tenant, arrivals, flush, position }: Attempt): Promise<readonly string[] | null> {
    const ledger = { journal: journal.line, position, after: committed };
    try {
      return await sink.commit({ ...flush, ledger }, known.others(tenant, arrivals));
    } catch (error) {
      if (error instanceof StoredMeanwhile) return null;
      if (!(error instanceof DebugError) || error.code !== 'CONFLICT') throw error;
      log.error(
        { err: error },
        'the data folder was copied, and both are written: this one goes on under another name',
      );
      await journal.takeAnotherLine();
      return null;
    }
  }

  /** Tries until it succeeds: everything behind waits in the journal. Throws only when stopping. */
  async function persist<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
      try {
        const result = await attempt();
        if (trouble !== null) log.info('commits go on');
        trouble = null;
        return result;
      } catch (error) {
        failures.inc();
        if (trouble === null) log.error({ err: error }, `cannot ${what}; the journal keeps what comes`);
        trouble = error instanceof Error ? error.message : String(error);
        await sleep(delayMs, undefined, { signal: stopping.signal });
      }
    }
  }

  /** Live entries bring their index along; replayed ones are walked again. */
  async function arrivalsOf(entries: readonly JournalEntry[]): Promise<EntryArrival[]> {
    const arrivals: EntryArrival[] = [];
    for (const entry of entries) {
      const { receivedAt, signal, body, index } = entry;
      try {
        const { records } = index ?? (await settings.index.inTurns(signal, body));
        arrivals.push({ receivedAt, records, entry });
      } catch (error) {
        await settings.setAside(entry, error); // an older version let it pass
      }
    }
    return arrivals;
  }

  function breath(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      stopping.signal.addEventListener('abort', done, { once: true });
      hurry = done;
      function done() {
        clearTimeout(timer);
        stopping.signal.removeEventListener('abort', done);
        hurry = null;
        resolve();
      }
    });
  }

  return {
    name: 'pipeline',
    trouble: () => trouble,

    async start() {
      // A store that is away keeps nobody from starting: the journal goes by its own checkpoint until the store is back.
      await sink.committedPosition(journal.line).then(journal.seek.bind(journal), (error) => {
        log.warn({ err: error }, 'the store is away; the journal keeps what comes');
      });
      running = run().catch((error) => {
        if (stopping.signal.aborted) return;
        trouble = `the pipeline ended: ${error instanceof Error ? error.message : error}`;
        log.fatal({ err: error }, 'the pipeline ended; the journal keeps what comes');
      });
    },

    async settled(timeoutMs) {
      const { durable } = journal.stats();
      if (durable <= committed) return 0;
      hurry?.();
      await new Promise<void>((resolve) => {
        const waiter = { position: durable, resolve: done };
        const timer = setTimeout(done, timeoutMs);
        waiters.add(waiter);
        function done() {
          clearTimeout(timer);
          waiters.delete(waiter);
          resolve();
        }
      });
      return durable <= committed ? 0 : journal.stats().bytes;
    },

    /** Commits what has been acknowledged, then ends; what the store does not take in time stays in the journal. */
    async stop() {
      if (running === undefined) return;
      if (trouble === null) await this.settled(STOP_FLUSH_MS);
      stopping.abort(new DebugError('UNAVAILABLE', 'stopping'));
      await running;
    },
  };
}

const STOP_FLUSH_MS = 5000;

/** A flush, and what it would be made of again. */
interface Prepared {
  position: bigint;
  arrivals: readonly EntryArrival[];
  duplicates: number;
  /** Of {@link KnownRecords}. */
  epoch: number;
  derived: Derived;
}

interface Attempt {
  tenant: string;
  arrivals: readonly EntryArrival[];
  flush: Derived;
  position: bigint;
}

function recordsIn(arrivals: readonly Arrival[]): number {
  return arrivals.reduce((sum, { records }) => sum + records.length, 0);
}

interface EntryArrival extends Arrival {
  entry: JournalEntry;
}

/**
 * The entries of each tenant, as one flush is of one tenant. A flush says that the store has everything up to its position, so that
 * the tenant of the first entry that it does not have comes next; what lies behind that position and was committed all the same is
 * known by its requests, should it be taken again after a crash in between.
 */
function tenantRuns(entries: readonly JournalEntry[]): { entries: JournalEntry[]; position: bigint }[] {
  const runs = [...Map.groupBy(entries, ({ tenant }) => tenant).values()];
  return runs.map((run, i) => {
    const firstMissing = runs[i + 1]?.[0]; // runs are in the order of their first entries
    const before = firstMissing === undefined ? entries.length : entries.indexOf(firstMissing);
    return { entries: run, position: entries[before - 1]!.position };
  });
}
