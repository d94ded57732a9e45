import type { Clock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import { type Authenticate, requireScope } from '../base/tokens.ts';
import type { Signal } from '../model/block.ts';
import { jsonToProtobuf, jsonToProtobufInTurns } from '../otlp/json.ts';
import type { Indexer } from '../otlp/walk.ts';
import type { Admission, Ticket } from './admission.ts';
import type { Journal } from './journal.ts';
import { createTurns } from './turns.ts';

export type Encoding = 'protobuf' | 'json';

/** One export request, as either transport brings it. */
export interface ExportRequest {
  signal: Signal;
  transport: 'grpc' | 'http';
  encoding: Encoding;
  /** As `credentialsOf` of base/tokens.ts has it: whose telemetry it is comes from here alone. */
  authorization: string | undefined;
  /** Reads the body to its end, decompressed; tells the ticket of every byte. */
  read(ticket: Ticket): Uint8Array | Promise<Uint8Array>;
}

export interface ExportResult {
  /** Spans, log records or data points that were not kept. */
  rejected: number;
  /** English, why; empty when all was kept. */
  message: string;
}

/** @throws DebugError what the sender is told; anything else is our bug */
export type Exporter = (request: ExportRequest) => Promise<ExportResult>;

export interface ExporterOptions {
  authenticate: Authenticate;
  admission: Admission;
  index: Indexer;
  /** Makes secrets unreadable, in place; absent: they stay. */
  redact?: Redaction;
  journal: Pick<Journal, 'append'>;
  /** Whether more waits for the store than it will soon take: then requests have less of each turn of the loop. */
  isBehind?: () => boolean;
  /** Told of records that could not be read: senders give them up, so that answers must say that they are missing. */
  rejected?: (tenant: string, records: number) => void;
  /** `DEBUG_SYSTEM_ENABLED`: false accepts everything and keeps nothing. */
  enabled: boolean;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export interface Redaction {
  (signal: Signal, tenant: string, body: Uint8Array): void;
  /** The same for large bodies, in steps between which others have their turn. */
  inTurns(signal: Signal, tenant: string, body: Uint8Array): Promise<void>;
}

/** The trip of one request, the same for both transports. When it resolves, what was accepted is on disk. */
export function createExporter(options: ExporterOptions): Exporter {
  const { authenticate, admission, index, redact, journal, isBehind, enabled, clock, rejected } = options;
  const observe = createObserver(options);
  const turns = createTurns(() => (isBehind?.() ? TURN_BYTES_BEHIND : TURN_BYTES));

  async function trip(request: ExportRequest): Promise<ExportResult> {
    const { signal } = request;
    const receivedAt = clock.nowNanos();
    const principal = authenticate(request.authorization);
    requireScope(principal, 'ingest');
    const { tenant } = principal;
    const ticket = admission.enter(tenant);
    try {
      const read = await request.read(ticket);
      if (!enabled) return NOTHING_REJECTED;
      const turn = turns.take(read.length);
      if (turn !== undefined) await turn;
      const body = request.encoding === 'json' ? await protobufOf(signal, read, ticket.requestBytesMax) : read;
      const large = body.length > AT_ONCE_BYTES_MAX;
      if (large) await redact?.inTurns(signal, tenant, body);
      else redact?.(signal, tenant, body);
      const found = large ? await index.inTurns(signal, body) : index(signal, body);
      ticket.count(found.accepted);
      if (found.accepted > 0) await journal.append({ signal, tenant, receivedAt, body, index: found });
      observe.records(signal, found.accepted, found.rejected);
      if (found.rejected > 0) rejected?.(tenant, found.rejected);
      return { rejected: found.rejected, message: found.rejectedReason };
    } finally {
      ticket.leave();
    }
  }

  return async (request) => {
    const startMs = clock.monotonicMs();
    try {
      const result = await trip(request);
      observe.answered(request, 'OK', clock.monotonicMs() - startMs);
      return result;
    } catch (error) {
      observe.answered(request, error instanceof DebugError ? error.code : 'INTERNAL', clock.monotonicMs() - startMs);
      if (!(error instanceof DebugError)) observe.bug(error);
      throw error;
    }
  };
}

// A millisecond of usual records, about as much as deriving a block; a quarter of it while the store has enough to do.
const TURN_BYTES = 256 * 1024;
const TURN_BYTES_BEHIND = 64 * 1024;
// What is larger is read in turns, so that nobody waits for it: JSON of this size takes some 10 ms.
const AT_ONCE_BYTES_MAX = 256 * 1024;

async function protobufOf(signal: Signal, json: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  return json.length > AT_ONCE_BYTES_MAX
    ? jsonToProtobufInTurns(signal, json, bytesMax)
    : jsonToProtobuf(signal, json, bytesMax);
}

const NOTHING_REJECTED: ExportResult = { rejected: 0, message: '' };
const ACK_BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5];
const BUGS_LOGGED_MAX = 100;

function createObserver({ meter, log }: ExporterOptions) {
  const requests = meter.counter('receiver_requests_total', 'Export requests answered.', [
    'transport',
    'encoding',
    'signal',
    'code',
  ]);
  const seconds = meter.histogram('receiver_request_seconds', 'From headers to answer.', ACK_BUCKETS_SECONDS, [
    'transport',
  ]);
  const accepted = meter.counter('receiver_records_accepted_total', 'Spans, log records and data points kept.', [
    'signal',
  ]);
  const rejected = meter.counter('receiver_records_rejected_total', 'Spans, log records and data points rejected.', [
    'signal',
  ]);
  const bugsLogged = new Set<string>();

  return {
    answered({ transport, encoding, signal }: ExportRequest, code: string, ms: number) {
      requests.inc({ transport, encoding, signal, code });
      seconds.observe({ transport }, ms / 1000);
    },
    records(signal: Signal, kept: number, refused: number) {
      if (kept > 0) accepted.inc({ signal }, kept);
      if (refused > 0) rejected.inc({ signal }, refused);
    },
    /** Each kind is logged once: whoever can cause one can cause a million. */
    bug(error: unknown) {
      const kind = error instanceof Error ? String(error.stack) : String(error);
      if (bugsLogged.has(kind) || bugsLogged.size >= BUGS_LOGGED_MAX) return;
      bugsLogged.add(kind);
      log.error({ err: error }, 'a request failed by our own mistake');
    },
  };
}
