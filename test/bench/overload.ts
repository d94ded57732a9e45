/**
 * Ten times as many requests under way as a receiver takes in, for some seconds: what it refuses and with which status, whether its
 * memory stays where it is, and how long after the flood it answers as before.
 *
 * Its bounds are set low, so that a flood of seconds meets what one of hours would meet: bodies being received (RESOURCE_EXHAUSTED,
 * over HTTP 429) and the journal (UNAVAILABLE, 503), which fills because more is acknowledged than the store commits.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Load, Sent } from './generator.ts';
import { committed, ingest, type SystemUnderLoad, send, storedRecords } from './system.ts';

export interface Overload {
  flood: Sent;
  /** While it went on. */
  acknowledgedPerSecond: number;
  /** Resident, of the receiver's process. */
  bytesBefore: number;
  /** Of the first and of the second half of the flood: what is not bounded goes on growing. */
  bytesPeak: [number, number];
  /** From the end of the flood until, second by second, a steady sender is refused nothing and p95 of its answers is within {@link CALM_MS}. */
  recoverySeconds: number;
}

export const CALM_MS = 50;
const MIB = 1 << 20;
// 100 requests of 318 kB.
const IN_FLIGHT_BYTES = 32 * MIB;
export const OVERLOAD_ENVIRONMENT = {
  DEBUG_REQUEST_BYTES_MAX: String(16 * MIB),
  DEBUG_IN_FLIGHT_BYTES_MAX: String(IN_FLIGHT_BYTES),
  DEBUG_JOURNAL_BYTES_MAX: String(128 * MIB),
};
export const OVERLOAD_REQUESTS = 1000;
// More than is sent in any number of seconds that somebody waits for.
const FLOOD_RECORDS_MAX = 1e9;
const STEADY_RATE = 10_000;
const STEADY_SECONDS = 10;

/** @param system with {@link OVERLOAD_ENVIRONMENT} */
export async function benchOverload(
  system: SystemUnderLoad,
  usual: Omit<Load, 'address' | 'firstSequence'>,
  seconds: number,
): Promise<Overload> {
  await ingest(system, { ...usual, records: 100_000 }); // the first seconds compile
  const bytesBefore = await system.residentBytes();
  const samples: { atMs: number; bytes: number }[] = [];
  let sampling = true;
  const sampler = (async () => {
    while (sampling) {
      samples.push({ atMs: Date.now(), bytes: await system.residentBytes() });
      await sleep(50);
    }
  })();
  const storedBefore = await storedRecords(system);
  const flood = await send(system, {
    ...usual,
    records: FLOOD_RECORDS_MAX,
    secondsMax: seconds,
    connections: 100,
    inFlight: OVERLOAD_REQUESTS,
    retry: false,
  });
  const steady = await send(system, {
    ...usual,
    records: STEADY_RATE * STEADY_SECONDS,
    rate: STEADY_RATE,
    retry: false,
    slowMs: CALM_MS,
  });
  sampling = false;
  await sampler;
  await committed(system, storedBefore + flood.acknowledged + steady.acknowledged); // shed, not lost
  const middleMs = (flood.startMs + flood.endMs) / 2;
  const peak = (half: (atMs: number) => boolean) =>
    Math.max(...samples.filter(({ atMs }) => half(atMs)).map(({ bytes }) => bytes));
  return {
    flood,
    acknowledgedPerSecond: (flood.acknowledged * 1000) / (flood.endMs - flood.startMs),
    bytesBefore,
    bytesPeak: [peak((atMs) => atMs < middleMs), peak((atMs) => atMs >= middleMs && atMs <= flood.endMs)],
    // The steady sender begins when it has connected: before its first request nobody asked.
    recoverySeconds: (Math.max(steady.lastSlowMs, steady.startMs) - flood.endMs) / 1000,
  };
}
