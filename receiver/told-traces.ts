/**
 * Traces of which an error has been seen that says what is wrong. Logs come seconds before the spans of their trace, in requests of their own: a
 * span that failed then tells nothing that has not been told (ComponentMinute.untold).
 */
export class ToldTraces {
  readonly #capacity: number;
  // Two generations: when the younger one is full, the older one is forgotten.
  #young = new Set<string>();
  #old = new Set<string>();

  /** @param capacity how many it remembers at least; for what is forgotten blocks are read */
  constructor(capacity = 20_000) {
    this.#capacity = capacity;
  }

  has(tenant: string, trace: string): boolean {
    const name = trace + tenant;
    return this.#young.has(name) || this.#old.has(name);
  }

  add(tenant: string, traces: Iterable<string>): void {
    for (const trace of traces) {
      this.#young.add(trace + tenant);
      if (this.#young.size < this.#capacity) continue;
      this.#old = this.#young;
      this.#young = new Set();
    }
  }
}
