/**
 * What was handed to the pipeline and not yet confirmed by the receiver: waiting in a batch, or on its way. The batch
 * processors keep their queues private, so this is what a process that must end now can still send.
 *
 * Bound: `capacity` records, the oldest leaves first. The batch processors drop what does not fit their queues without
 * telling anybody; those records leave by this bound.
 */
export class Unconfirmed<T extends object> {
  readonly #records = new Set<T>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(record: T): void {
    if (this.#records.size >= this.#capacity) {
      for (const oldest of this.#records) {
        this.#records.delete(oldest);
        break;
      }
    }
    this.#records.add(record);
  }

  confirm(records: Iterable<T>): void {
    for (const record of records) this.#records.delete(record);
  }

  /** Hands over all of them, once. */
  take(): T[] {
    const records = [...this.#records];
    this.#records.clear();
    return records;
  }
}
