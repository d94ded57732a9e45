/**
 * How much the receiver takes on at once, and how much of it from one tenant. What is over is refused early, with a hint when to come
 * again, and never queued: a queue here would only move the wait to where senders cannot see it.
 */
import type { Clock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import type { Meter } from '../base/meter.ts';
import { createRateLimit } from '../base/rate.ts';

export interface Admission {
  /** @throws DebugError THROTTLED when as many requests are under way as may be, or the tenant has had its share */
  enter(tenant: string): Ticket;
  /** Throws where `enter` would, and takes nothing. */
  check(tenant: string): void;
  /**
   * The same for a request of which only the headers are there, when its body will be held before `enter` is asked: until it is released,
   * as much is taken for it as requests lately had.
   * @returns releases it; idempotent
   */
  expect(tenant: string): () => void;
  /** Requests that have begun to come and are not answered. */
  underWay(): number;
}

/** One request's share. */
export interface Ticket {
  /** The most that the request may hold. */
  readonly requestBytesMax: number;
  /**
   * Told of each byte of the body, as it comes out of decompression and before it is kept.
   * @throws DebugError TOO_LARGE when the request exceeds its limit, THROTTLED when all together exceed theirs
   */
  hold(bytes: number): void;
  /** Told of the records found in it: the tenant pays for them and for the bytes held. */
  count(records: number): void;
  /** The request is answered; what it held is free again. */
  leave(): void;
}

export interface AdmissionOptions {
  /** Largest request, after decompression. OTLP recommends 64 MiB. */
  requestBytesMax: number;
  /** Bodies being received or waiting for the journal, all together. */
  inFlightBytesMax: number;
  /** Default 4096: SDKs keep at most 30 requests open each. */
  inFlightRequestsMax?: number;
  /** Absent: tenants share what there is. */
  tenant?: TenantLimits;
  clock: Clock;
  meter: Meter;
}

/** What one tenant may take of it, 0 for no limit. Rates may be saved up for two seconds. */
export interface TenantLimits {
  requestsMax: number;
  bytesMax: number;
  recordsPerSecond: number;
  bytesPerSecond: number;
}

export function createAdmission(options: AdmissionOptions): Admission {
  const { requestBytesMax, inFlightBytesMax, inFlightRequestsMax = 4096, tenant: limits = NO_LIMITS } = options;
  const { clock, meter } = options;
  const refused = meter.counter('receiver_refused_total', 'Requests refused before they were read whole.', ['reason']);
  meter.gauge('receiver_in_flight_requests', 'Requests being received.', () => all.requests);
  meter.gauge('receiver_in_flight_bytes', 'Bytes of requests being received.', () => all.bytes);
  const records = createRateLimit(limits.recordsPerSecond, clock);
  const bytesRate = createRateLimit(limits.bytesPerSecond, clock);
  const all = { requests: 0, bytes: 0 };
  /** Those of whom something is under way. */
  const tenants = new Map<string, { requests: number; bytes: number }>();

  function check(tenant: string): void {
    if (all.requests >= inFlightRequestsMax) {
      throw throttled('requests', `${all.requests} requests are under way, as many as this receiver takes`);
    }
    if (all.bytes >= inFlightBytesMax) throw full();
    const own = tenants.get(tenant);
    if (own !== undefined && over(own.requests + 1, limits.requestsMax)) {
      throw throttled(
        'tenant_requests',
        `${own.requests} requests of this tenant are under way, as many as it may have`,
      );
    }
    const owed = Math.max(records.owes(tenant), bytesRate.owes(tenant));
    if (owed > 0) throw throttled('tenant_rate', 'this tenant brings more than it may', Math.ceil(owed));
  }

  function full(): DebugError {
    return throttled('bytes', `${all.bytes} bytes are being received, as many as this receiver takes`);
  }

  function throttled(reason: string, message: string, retryAfterSeconds = 1): DebugError {
    refused.inc({ reason });
    return new DebugError('THROTTLED', message, { retryAfterSeconds });
  }

  /** Of requests lately: what the next is taken to bring. */
  let usualBytes = 0;

  return {
    check,
    underWay: () => all.requests,
    expect(tenant) {
      check(tenant);
      const bytes = usualBytes;
      let released = false;
      all.requests++;
      all.bytes += bytes;
      return () => {
        if (released) return;
        released = true;
        all.requests--;
        all.bytes -= bytes;
      };
    },
    enter(tenant) {
      check(tenant);
      const own = tenants.get(tenant) ?? { requests: 0, bytes: 0 };
      tenants.set(tenant, own);
      all.requests++;
      own.requests++;
      let held = 0;
      let left = false;
      return {
        requestBytesMax,
        hold(bytes) {
          if (held + bytes > requestBytesMax) {
            refused.inc({ reason: 'too_large' });
            throw new DebugError('TOO_LARGE', `the request exceeds ${requestBytesMax} bytes after decompression`);
          }
          if (all.bytes + bytes > inFlightBytesMax) throw full();
          if (over(own.bytes + bytes, limits.bytesMax)) {
            throw throttled(
              'tenant_bytes',
              `${own.bytes} bytes of this tenant are being received, as many as it may have`,
            );
          }
          held += bytes;
          all.bytes += bytes;
          own.bytes += bytes;
        },
        count(found) {
          records.spend(tenant, found);
          bytesRate.spend(tenant, held);
        },
        leave() {
          if (left) return;
          left = true;
          usualBytes = Math.round(usualBytes + (held - usualBytes) / USUAL_OF);
          all.requests--;
          all.bytes -= held;
          own.requests--;
          own.bytes -= held;
          if (own.requests === 0) tenants.delete(tenant);
        },
      };
    },
  };
}

// A mean over about so many: a few large ones are soon felt and soon forgotten.
const USUAL_OF = 16;
const NO_LIMITS: TenantLimits = { requestsMax: 0, bytesMax: 0, recordsPerSecond: 0, bytesPerSecond: 0 };

function over(amount: number, max: number): boolean {
  return max > 0 && amount > max;
}
