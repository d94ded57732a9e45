/** Time is an argument: rooms are given a clock, tests give another. */
export interface Clock {
  /** Wall time in nanoseconds since 1970, strictly growing between calls so that it can tell events apart. */
  nowNanos(): bigint;
  /** Milliseconds that never step back, for timeouts and durations. */
  monotonicMs(): number;
}

export function systemClock(): Clock {
  let last = 0n;
  return {
    nowNanos() {
      // Date.now steps in milliseconds and back with the system's clock; the id of a second event in one must still differ.
      const now = BigInt(Date.now()) * 1_000_000n;
      last = now > last ? now : last + 1n;
      return last;
    },
    monotonicMs: () => performance.now(),
  };
}
