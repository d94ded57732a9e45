import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { NANOS_PER_MINUTE, NANOS_PER_MS } from '../model/time.ts';
import { at } from '../test/support/telemetry.ts';
import { createAutomaticRuns } from './automatic.ts';
import type { Scope } from './reader.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const MINUTE = at(0) - (at(0) % NANOS_PER_MINUTE);

function runs(
  generate: (scope: Scope) => Promise<unknown> = async () => {},
  takeTurn?: (name: string, durationMs: number) => Promise<boolean>,
) {
  const asked: { atMs: number; scope: Scope }[] = [];
  const begun = Date.now();
  const clock: Clock = {
    nowNanos: () => MINUTE + BigInt(Date.now() - begun) * NANOS_PER_MS,
    monotonicMs: () => Date.now() - begun,
  };
  const automatic = createAutomaticRuns({
    generate: async (scope) => {
      asked.push({ atMs: clock.monotonicMs(), scope });
      await generate(scope);
    },
    ...(takeTurn !== undefined && { takeTurn }),
    clock,
    log: createLogger('silent'),
    meter: createMeter(),
  });
  const flush = (errors: number, tenant = 't') =>
    automatic.observe({ tenant, componentMinutes: [{ minute: MINUTE, errors }] });
  return { ...automatic, flush, asked };
}

test('after errors it looks soon, and again when they have settled; then it rests', async () => {
  const { start, stop, flush, asked } = runs();
  await start();
  flush(3);
  await vi.advanceTimersByTimeAsync(300_000);
  expect(asked.length).toBeGreaterThanOrEqual(2);
  expect(asked.length).toBeLessThanOrEqual(3);
  const last = asked.at(-1)!;
  // It has seen the second of the errors with ten seconds for the rest of their traces to arrive.
  expect(last.atMs).toBeGreaterThanOrEqual(10_000);
  expect(last.atMs).toBeLessThan(60_000);
  expect(last.scope).toMatchObject({ tenant: 't' });
  expect(last.scope.start! < MINUTE && last.scope.end! > MINUTE).toBe(true);
  await stop();
});

test('while all is well it looks once a minute, and not at all when nothing comes in', async () => {
  const { start, stop, flush, asked } = runs();
  await start();
  await vi.advanceTimersByTimeAsync(300_000);
  expect(asked).toEqual([]);
  for (let i = 0; i < 60; i++) {
    flush(0);
    await vi.advanceTimersByTimeAsync(5000);
  }
  expect(asked.length).toBeGreaterThanOrEqual(4);
  expect(asked.length).toBeLessThanOrEqual(6);
  await stop();
});

test('errors of an hour ago do not keep it busy', async () => {
  const { start, stop, flush, asked } = runs();
  await start();
  flush(1);
  await vi.advanceTimersByTimeAsync(60_000);
  asked.length = 0;
  for (let i = 0; i < 60; i++) {
    flush(0);
    await vi.advanceTimersByTimeAsync(5000);
  }
  expect(asked.length).toBeLessThanOrEqual(6);
  await stop();
});

test('a look that fails does not end the looking; stop waits for the one under way', async () => {
  let ended = false;
  let first = true;
  const { start, stop, flush, asked } = runs(async () => {
    if (first) {
      first = false;
      throw new Error('away');
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
    ended = true;
  });
  await start();
  flush(1);
  for (let i = 0; i < 5; i++) {
    await vi.advanceTimersByTimeAsync(5000);
    if (asked.length < 2) flush(1);
  }
  expect(asked.length).toBeGreaterThanOrEqual(2);
  const stopping = stop();
  await vi.advanceTimersByTimeAsync(2000);
  await stopping;
  expect(ended).toBe(true);
  const count = asked.length;
  flush(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(count);
});

test('of two engines on one store one looks; the other takes over when it has gone', async () => {
  const leases = new Map<string, { holder: string; until: number }>();
  const turnOf = (holder: string) => async (name: string, durationMs: number) => {
    const known = leases.get(name);
    if (known !== undefined && known.holder !== holder && known.until > Date.now()) return false;
    leases.set(name, { holder, until: Date.now() + durationMs });
    return true;
  };
  const [one, other] = [runs(undefined, turnOf('one')), runs(undefined, turnOf('other'))];
  await one.start();
  await other.start();
  for (let second = 0; second < 120; second++) {
    one.flush(1);
    other.flush(1);
    await vi.advanceTimersByTimeAsync(1000);
  }
  const together = one.asked.length + other.asked.length;
  expect(together).toBeGreaterThan(8);
  // As many as one alone would: every ten seconds.
  expect(together).toBeLessThanOrEqual(14);
  await one.stop();
  const before = other.asked.length;
  for (let second = 0; second < 60; second++) {
    other.flush(1);
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(other.asked.length).toBeGreaterThan(before + 3);
  await other.stop();
});

test('a store that cannot say whose turn it is keeps nobody from looking', async () => {
  const { start, stop, flush, asked } = runs(undefined, () => Promise.reject(new Error('away')));
  await start();
  flush(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked.length).toBeGreaterThan(0);
  await stop();
});

test('a look that takes long is followed by a long rest, though not by more than a minute', async () => {
  const begins = async (tookMs: number) => {
    const { start, stop, flush, asked } = runs(() => new Promise((resolve) => setTimeout(resolve, tookMs)));
    await start();
    for (let second = 0; second < 300; second++) {
      flush(1);
      await vi.advanceTimersByTimeAsync(1000);
    }
    const stopping = stop();
    await vi.advanceTimersByTimeAsync(tookMs);
    await stopping;
    return asked.length;
  };
  expect(await begins(100)).toBe(30);
  expect(await begins(2500)).toBe(10);
  expect(await begins(30_000)).toBe(5);
});
