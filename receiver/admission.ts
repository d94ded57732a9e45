/**
 * How much the receiver takes on at once. What is over is refused early, with a hint when to come again, and never queued: a
 * queue here would only move the wait to where senders cannot see it.
 */
import { DebugError } from '../base/errors.ts';
import type { Meter } from '../base/meter.ts';

export interface Admission {
  /** @throws DebugError THROTTLED when as many requests are under way as may be */
  enter(): Ticket;
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
  meter: Meter;
}

export function createAdmission(options: AdmissionOptions): Admission {
  const { requestBytesMax, inFlightBytesMax, inFlightRequestsMax = 4096, meter } = options;
  const refused = meter.counter('receiver_refused_total', 'Requests refused before they were read whole.', ['reason']);
  meter.gauge('receiver_in_flight_requests', 'Requests being received.', () => requests);
  meter.gauge('receiver_in_flight_bytes', 'Bytes of requests being received.', () => totalBytes);
  let requests = 0;
  let totalBytes = 0;

  return {
    enter() {
      if (requests >= inFlightRequestsMax) {
        refused.inc({ reason: 'requests' });
        throw new DebugError('THROTTLED', `${requests} requests are under way, as many as this receiver takes`);
      }
      requests++;
      let held = 0;
      let left = false;
      return {
        requestBytesMax,
        hold(bytes) {
          if (held + bytes > requestBytesMax) {
            refused.inc({ reason: 'too_large' });
            throw new DebugError('TOO_LARGE', `the request exceeds ${requestBytesMax} bytes after decompression`);
          }
          if (totalBytes + bytes > inFlightBytesMax) {
            refused.inc({ reason: 'bytes' });
            throw new DebugError('THROTTLED', `${totalBytes} bytes are being received, as many as this receiver takes`);
          }
          held += bytes;
          totalBytes += bytes;
        },
        leave() {
          if (left) return;
          left = true;
          requests--;
          totalBytes -= held;
        },
      };
    },
  };
}
