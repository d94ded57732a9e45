import type { Resource } from '@opentelemetry/resources';

/** One request in the making. */
export interface Batch<T> {
  /** Takes what the record says now; the record itself need not be kept. @throws where it cannot be written down */
  add(record: T): void;
  /** The request of all that was added since the last, and begins anew. @throws where it cannot be written down */
  finish(): Uint8Array | undefined;
}

/**
 * Finished records on their way to be a request: they leave when `size` of them are there, or `waitMs` after the first.
 *
 * In the place of OpenTelemetry's batch processors, which keep their queue private (a process at its end could not send it) and
 * drop what comes while a request waits for its answer. Here a request never waits for the one before: see `courier.ts`. And they keep
 * the records until they leave, where here each is written down as it comes and memory holds its bytes.
 */
export class Batcher<T extends { readonly resource: Resource }> {
  readonly #size: number;
  readonly #waitMs: number;
  readonly #batch: Batch<T>;
  readonly #leave: (request: Uint8Array) => void;
  readonly #failed: (error: Error) => void;
  #count = 0;
  #full: Uint8Array[] = [];
  #unresolved: T[] = [];
  #timer: NodeJS.Timeout | undefined;
  #leaving = false;

  /**
   * @param leave is called in an event-loop turn of its own, never within `add`: a request of the app does not pay for the sending
   * @param failed hears of what could not be written down: something that an app has said must not be the end of the app
   */
  constructor(
    { size, waitMs }: { size: number; waitMs: number },
    batch: Batch<T>,
    leave: (request: Uint8Array) => void,
    failed: (error: Error) => void,
  ) {
    this.#size = size;
    this.#waitMs = waitMs;
    this.#batch = batch;
    this.#leave = leave;
    this.#failed = failed;
  }

  add(record: T): void {
    if (record.resource.asyncAttributesPending) this.#addResolved(record);
    else this.#write(record);
  }

  flush(): void {
    for (const request of this.take()) this.#leave(request);
  }

  /** Hands over the requests of what waits, once. */
  take(): Uint8Array[] {
    for (const record of this.#unresolved.splice(0)) this.#write(record);
    this.#fill();
    const requests = this.#full;
    this.#full = [];
    return requests;
  }

  #write(record: T): void {
    try {
      this.#batch.add(record);
    } catch (error) {
      return this.#failed(error as Error);
    }
    this.#count++;
    if (this.#count >= this.#size) {
      this.#fill();
      this.#leaveSoon();
    } else if (this.#count === 1) this.#timer ??= setTimeout(() => this.flush(), this.#waitMs);
  }

  #fill(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count === 0) return;
    this.#count = 0;
    try {
      const request = this.#batch.finish();
      if (request !== undefined) this.#full.push(request);
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  /** Detectors that the user chose may still be asking who we are. */
  #addResolved(record: T): void {
    if (this.#unresolved.push(record) > 1) return;
    const resolved = (): void => {
      for (const waited of this.#unresolved.splice(0)) this.#write(waited);
    };
    void record.resource.waitForAsyncAttributes?.().then(resolved, resolved);
  }

  #leaveSoon(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    setImmediate(() => {
      this.#leaving = false;
      const requests = this.#full;
      this.#full = [];
      for (const request of requests) this.#leave(request);
    }).unref();
  }
}
