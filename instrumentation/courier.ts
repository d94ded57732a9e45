import type { Signal } from './settings.ts';
import type { Parcel, Spool } from './spool.ts';
import type { Outcome, Transport } from './transport.ts';

export interface CourierSettings {
  transports: Partial<Record<Signal, Transport>>;
  spool: Pick<Spool, 'keep' | 'oldest' | 'remove' | 'adopt' | 'empty'>;
  /** What is lost, and when the receiver went or came back. */
  say: (what: { kind: 'away' | 'back' | 'refused' | 'dropped'; reason: string }) => void;
}

/** A request that has no answer by then is on the disk while it waits on: a kill costs at most this and the batch's wait. */
const PATIENCE_MS = 1000;
const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 5000;
const RETRY_AFTER_MAX_MS = 30_000;
/** Requests in memory without an answer; more are put on the disk at once, or dropped where that cannot be. */
const AWAITING_BYTES_MAX = 16 << 20;

interface Awaiting extends Parcel {
  kept: Promise<string | undefined> | undefined;
}

/**
 * Delivers requests: each is sent as it comes; one that is not accepted goes to the spool, and from then on all do, until the
 * receiver has taken the oldest again. Then the spool is emptied in order, while what is new is sent beside it.
 */
export class Courier {
  readonly #settings: CourierSettings;
  readonly #awaiting = new Set<Awaiting>();
  #awaitingBytes = 0;
  #away = false;
  #draining = false;
  #delayMs = RETRY_FIRST_MS;

  constructor(settings: CourierSettings) {
    this.#settings = settings;
  }

  /** Delivers what earlier processes have left behind. */
  async adopt(): Promise<void> {
    if (await this.#settings.spool.adopt().catch(() => false)) void this.#drain();
  }

  send(request: Parcel): void {
    const parcel: Awaiting = { ...request, kept: undefined };
    this.#awaiting.add(parcel);
    this.#awaitingBytes += parcel.body.length;
    if (this.#away || this.#awaitingBytes > AWAITING_BYTES_MAX) {
      void this.#spooled(parcel).then(() => {
        this.#settled(parcel);
        // Back already, and all that the disk had before has left it: nobody else would come for this one.
        if (!this.#away) void this.#drain();
      });
    } else void this.#attempt(parcel);
  }

  /** Hands over what is in memory alone, for a process at its end. */
  takePending(): Parcel[] {
    const pending = [...this.#awaiting].filter(({ kept }) => kept === undefined);
    for (const parcel of pending) parcel.kept = Promise.resolve(undefined);
    this.#awaiting.clear();
    this.#awaitingBytes = 0;
    return pending;
  }

  async #attempt(parcel: Awaiting): Promise<void> {
    const patience = setTimeout(() => void this.#spooled(parcel), PATIENCE_MS);
    const outcome = await this.#transport(parcel);
    clearTimeout(patience);
    if (outcome.kind === 'retry') {
      await this.#spooled(parcel);
      this.#goneAway(outcome);
    } else {
      if (outcome.kind === 'refused') this.#settings.say(outcome);
      const name = await parcel.kept;
      if (name !== undefined) await this.#settings.spool.remove(name);
    }
    this.#settled(parcel);
  }

  #settled(parcel: Awaiting): void {
    if (this.#awaiting.delete(parcel)) this.#awaitingBytes -= parcel.body.length;
  }

  #spooled(parcel: Awaiting): Promise<string | undefined> {
    parcel.kept ??= this.#settings.spool.keep(parcel).catch((error) => {
      this.#settings.say({ kind: 'dropped', reason: (error as Error).message });
      return undefined;
    });
    return parcel.kept;
  }

  #goneAway({ reason, afterMs }: { reason: string; afterMs?: number }): void {
    if (!this.#away) {
      this.#away = true;
      this.#settings.say({ kind: 'away', reason });
    }
    if (this.#draining) return;
    this.#draining = true;
    // Jitter: a thousand processes that lost one receiver do not come back to it in the same moment.
    const waitMs = Math.min(afterMs ?? this.#delayMs, RETRY_AFTER_MAX_MS) * (0.8 + 0.4 * Math.random());
    this.#delayMs = Math.min(this.#delayMs * 1.5, RETRY_MAX_MS);
    setTimeout(() => {
      this.#draining = false;
      void this.#drain();
    }, waitMs);
  }

  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    const { spool, say } = this.#settings;
    let stopped: Extract<Outcome, { kind: 'retry' }> | undefined;
    do {
      const parcel = await spool.oldest();
      if (parcel === undefined) continue;
      const outcome = await this.#transport(parcel);
      if (outcome.kind === 'retry') {
        stopped = outcome;
        break;
      }
      if (outcome.kind === 'refused') say(outcome);
      await spool.remove(parcel.name);
      this.#cameBack();
    } while (!spool.empty);
    this.#draining = false;
    if (stopped) this.#goneAway(stopped);
    // The disk kept nothing: only a new request can tell whether the receiver is there.
    else this.#cameBack();
  }

  #cameBack(): void {
    this.#delayMs = RETRY_FIRST_MS;
    if (!this.#away) return;
    this.#away = false;
    this.#settings.say({ kind: 'back', reason: '' });
  }

  async #transport(parcel: Parcel): Promise<Outcome> {
    const transport = this.#settings.transports[parcel.signal];
    return transport?.(parcel) ?? { kind: 'refused', reason: `${parcel.signal} are not exported` };
  }
}
