import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatNanos, NANOS_PER_MINUTE } from '../model/time.ts';
import { goodSpan, spansProtobuf } from '../test/support/otlp-requests.ts';
import { type QuerySystem, startQuerySystem } from '../test/support/query-system.ts';

const TENANT = 'default';
const SECOND = 1_000_000_000n;
let system: QuerySystem;
/** The beginning of a whole minute, some minutes ago. */
let minute: bigint;

beforeAll(async () => {
  system = await startQuerySystem();
  const now = system.needs.clock.nowNanos();
  minute = now - (now % NANOS_PER_MINUTE) - 5n * NANOS_PER_MINUTE;
  const spans = Array.from({ length: 40 }, (_, i) => {
    const startTimeUnixNano = minute + BigInt(i) * SECOND;
    const tookMs = i < 20 ? 10n : 400n;
    const id = Uint8Array.from([7, 7, 7, 7, 7, 7, 7, i + 1]);
    return { ...goodSpan(), spanId: id, startTimeUnixNano, endTimeUnixNano: startTimeUnixNano + tookMs * 1_000_000n };
  });
  await system.send('span', spansProtobuf(...spans));
});
afterAll(() => system?.stop());

test('two windows within one minute each have the latency of their own spans', async () => {
  const window = (from: bigint, to: bigint) => ({
    start: formatNanos(minute + from * SECOND),
    end: formatNanos(minute + to * SECOND - 1n),
  });
  const { data } = await system.service.compare(TENANT, { windows: [window(0n, 20n), window(20n, 40n)] });
  const [before, now] = data.sides;
  expect(before).toMatchObject({ total_events: 20, sample_count: 20 });
  expect(now).toMatchObject({ total_events: 20, sample_count: 20 });
  expect(before!.p95_ms).toBeLessThan(11);
  expect(now!.p50_ms).toBeGreaterThan(390);
});
