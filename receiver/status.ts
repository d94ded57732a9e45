/**
 * How this edge says that something failed: one table from our error codes to gRPC and HTTP, and google.rpc.Status as its words.
 * Exporters retry 429, 502, 503, 504 and UNAVAILABLE, and drop on everything else (OTLP: failures); so a sender's mistake
 * and our own bug are final, and only what may pass is retryable.
 */
import { create, createRegistry, toBinary, toJsonString } from '@bufbuild/protobuf';
import { type Any, anyPack, durationFromMs } from '@bufbuild/protobuf/wkt';
import { DebugError, type ErrorCode } from '../base/errors.ts';
import { BadRequestSchema, RetryInfoSchema } from '../proto/gen/google/rpc/error_details_pb.js';
import { type Status, StatusSchema } from '../proto/gen/google/rpc/status_pb.js';

export interface Failure {
  /** google.rpc.Code */
  grpcCode: number;
  httpStatus: number;
  /** Set when, and only when, the sender may retry. */
  retryAfterSeconds: number | undefined;
  /** English, for developers; well-formed and short enough for a gRPC trailer. */
  message: string;
  status: Status;
}

interface Row {
  grpcCode: number;
  httpStatus: number;
  /** Seconds, where the error itself does not say. */
  retryAfterSeconds?: number;
}

const TABLE: Record<ErrorCode, Row> = {
  MALFORMED: { grpcCode: 3, httpStatus: 400 }, // INVALID_ARGUMENT
  INVALID: { grpcCode: 3, httpStatus: 400 },
  UNSUPPORTED: { grpcCode: 12, httpStatus: 404 }, // UNIMPLEMENTED
  TOO_LARGE: { grpcCode: 8, httpStatus: 413 }, // RESOURCE_EXHAUSTED, final for want of a RetryInfo
  UNAUTHENTICATED: { grpcCode: 16, httpStatus: 401 },
  FORBIDDEN: { grpcCode: 7, httpStatus: 403 }, // PERMISSION_DENIED
  NOT_FOUND: { grpcCode: 5, httpStatus: 404 },
  CONFLICT: { grpcCode: 6, httpStatus: 409 }, // ALREADY_EXISTS
  THROTTLED: { grpcCode: 8, httpStatus: 429, retryAfterSeconds: 1 },
  UNAVAILABLE: { grpcCode: 14, httpStatus: 503, retryAfterSeconds: 2 },
  DISABLED: { grpcCode: 14, httpStatus: 503, retryAfterSeconds: 5 },
  INTERNAL: { grpcCode: 13, httpStatus: 500 },
};

// The JS and Python exporters give up on a batch when told to wait longer than what is left of their 10 s.
const RETRY_SECONDS_MAX = 5;
// The message travels twice in gRPC trailers, once percent-encoded, and some clients take only 8 KiB of them.
const MESSAGE_LENGTH_MAX = 1024;

/** @param error whatever was thrown; what is no DebugError is our bug, of which a sender learns no more than that */
export function failureOf(error: unknown): Failure {
  const known = error instanceof DebugError ? error : new DebugError('INTERNAL', 'internal error');
  const row = TABLE[known.code];
  const retryAfterSeconds =
    row.retryAfterSeconds && Math.min(known.retryAfterSeconds ?? row.retryAfterSeconds, RETRY_SECONDS_MAX);
  const message = shorten(known.message);
  const details: Any[] = [];
  if (retryAfterSeconds !== undefined) details.push(anyPack(RetryInfoSchema, retryInfo(retryAfterSeconds)));
  if (row.grpcCode === INVALID_ARGUMENT) {
    const fields =
      known.fields.length > 0 ? known.fields.slice(0, FIELDS_MAX) : [{ field: '', message: known.message }];
    const fieldViolations = fields.map(({ field, message }) => ({
      field: shorten(field),
      description: shorten(message),
    }));
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  const status = create(StatusSchema, { code: row.grpcCode, message, details });
  return { grpcCode: row.grpcCode, httpStatus: row.httpStatus, retryAfterSeconds, message, status };
}

export function statusProtobuf({ status }: Failure): Uint8Array {
  return toBinary(StatusSchema, status);
}

export function statusJson({ status }: Failure): string {
  return toJsonString(StatusSchema, status, { registry: DETAILS });
}

/**
 * The trailers of a failed gRPC call. Go and JS read when to retry from the whole status, Python from its own key alone.
 */
export function statusTrailers(failure: Failure): Map<string, Buffer> {
  const trailers = new Map([['grpc-status-details-bin', Buffer.from(statusProtobuf(failure))]]);
  const { retryAfterSeconds } = failure;
  if (retryAfterSeconds !== undefined) {
    trailers.set('google.rpc.retryinfo-bin', Buffer.from(toBinary(RetryInfoSchema, retryInfo(retryAfterSeconds))));
  }
  return trailers;
}

/** Cut to what fits an answer, and never in the middle of a character: grpc-js throws on a lone surrogate. */
export function shorten(message: string): string {
  return (
    message.length > MESSAGE_LENGTH_MAX ? `${message.slice(0, MESSAGE_LENGTH_MAX - 1)}…` : message
  ).toWellFormed();
}

const INVALID_ARGUMENT = 3;
const FIELDS_MAX = 10;
const DETAILS = createRegistry(RetryInfoSchema, BadRequestSchema);

function retryInfo(seconds: number) {
  return create(RetryInfoSchema, { retryDelay: durationFromMs(seconds * 1000) });
}
