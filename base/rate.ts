import type { Clock } from './clock.ts';

export interface RateLimit {
  /** Seconds until the key may go on, above 0 only while it owes. */
  owes(key: string): number;
  /** May lead into debt: what something costs is often known only after it was done. */
  spend(key: string, amount: number): void;
  /** What may be spent before the key owes, 0 and up. */
  left(key: string): number;
}

/**
 * A token bucket for each key that may be overdrawn: whoever owes waits until it is paid. So one answer at the door decides, nothing
 * that was read is thrown away, and over time no key gets more than its rate.
 *
 * @param perSecond 0: no limit  @param burstSeconds how much of the rate may be saved up
 */
export function createRateLimit(perSecond: number, clock: Clock, burstSeconds = 2): RateLimit {
  if (perSecond === 0) return { owes: () => 0, spend: () => {}, left: () => Number.POSITIVE_INFINITY };
  const capacity = perSecond * burstSeconds;
  const buckets = new Map<string, { left: number; atMs: number }>();

  function bucketOf(key: string): { left: number; atMs: number } {
    const nowMs = clock.monotonicMs();
    const bucket = buckets.get(key) ?? { left: capacity, atMs: nowMs };
    bucket.left = Math.min(capacity, bucket.left + ((nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    // The least lately used goes first, and with it at worst a debt of seconds.
    buckets.delete(key);
    if (buckets.size >= KEYS_MAX) buckets.delete(buckets.keys().next().value!);
    buckets.set(key, bucket);
    return bucket;
  }

  return {
    owes: (key) => Math.max(0, -bucketOf(key).left / perSecond),
    spend(key, amount) {
      bucketOf(key).left -= amount;
    },
    left: (key) => Math.max(0, bucketOf(key).left),
  };
}

// Keys are tenants and tokens, which the configuration names: a ceiling all the same.
const KEYS_MAX = 10_000;
