/**
 * Finished records on their way to be a request: they leave when `size` of them are there, or `waitMs` after the first.
 *
 * In the place of OpenTelemetry's batch processors, which keep their queue private (a process at its end could not send it) and
 * drop what comes while a request waits for its answer. Here a request never waits for the one before: see `courier.ts`.
 */
export class Batcher<T> {
  readonly #size: number;
  readonly #waitMs: number;
  readonly #leave: (records: T[]) => void;
  #records: T[] = [];
  #timer: NodeJS.Timeout | undefined;
  #leaving = false;

  /** @param leave is called in an event-loop turn of its own, never within `add`: a request of the app does not pay for it */
  constructor(size: number, waitMs: number, leave: (records: T[]) => void) {
    this.#size = size;
    this.#waitMs = waitMs;
    this.#leave = leave;
  }

  add(record: T): void {
    const count = this.#records.push(record);
    if (count >= this.#size) this.#leaveSoon();
    else if (count === 1) this.#timer ??= setTimeout(() => this.flush(), this.#waitMs);
  }

  flush(): void {
    const records = this.take();
    for (let i = 0; i < records.length; i += this.#size) this.#leave(records.slice(i, i + this.#size));
  }

  /** Hands over what waits, once. */
  take(): T[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const records = this.#records;
    this.#records = [];
    return records;
  }

  #leaveSoon(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    setImmediate(() => {
      this.#leaving = false;
      this.flush();
    }).unref();
  }
}
