/** How this edge says that something failed: one table from our error codes to gRPC's, with google.rpc details as its words. */
import { create, toBinary } from '@bufbuild/protobuf';
import { type Any, anyPack, durationFromMs } from '@bufbuild/protobuf/wkt';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { DebugError, type ErrorCode } from '../../base/errors.ts';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';

const CODE: Record<ErrorCode, status> = {
  MALFORMED: status.INVALID_ARGUMENT,
  INVALID: status.INVALID_ARGUMENT,
  UNSUPPORTED: status.UNIMPLEMENTED,
  TOO_LARGE: status.RESOURCE_EXHAUSTED,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  FORBIDDEN: status.PERMISSION_DENIED,
  NOT_FOUND: status.NOT_FOUND,
  CONFLICT: status.ALREADY_EXISTS,
  THROTTLED: status.RESOURCE_EXHAUSTED,
  UNAVAILABLE: status.UNAVAILABLE,
  DISABLED: status.UNAVAILABLE,
  INTERNAL: status.INTERNAL,
};

// As REST says in Retry-After.
const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = { THROTTLED: 1, UNAVAILABLE: 2, DISABLED: 60 };

/** @param thrown what is no DebugError is our bug, of which a client learns no more than that */
export function statusOf(thrown: unknown): Pick<ServiceError, 'code' | 'details' | 'metadata'> {
  const error = thrown instanceof DebugError ? thrown : new DebugError('INTERNAL', 'an error of ours');
  const code = CODE[error.code];
  const message = shorten(error.code === 'INTERNAL' ? 'an error of ours' : error.message);
  const retry = error.retryAfterSeconds ?? RETRY_AFTER_SECONDS[error.code];
  const reason = error.reason ?? (error.code === 'DISABLED' ? 'DEBUG_DISABLED' : error.code);
  const details: Any[] = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: DOMAIN }))];
  if (error.fields.length > 0) {
    const fieldViolations = error.fields.slice(0, FIELDS_MAX).map(({ field, message }) => ({
      field: shorten(field),
      description: shorten(message),
    }));
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  const metadata = new Metadata();
  if (retry !== undefined) {
    const retryInfo = create(RetryInfoSchema, { retryDelay: durationFromMs(retry * 1000) });
    details.push(anyPack(RetryInfoSchema, retryInfo));
  }
  const whole = create(StatusSchema, { code, message, details });
  metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, whole)));
  return { code, details: message, metadata };
}

const DOMAIN = 'ai-debug';
const FIELDS_MAX = 10;
// It travels twice, once percent-encoded, and some clients take only 8 KiB of trailers.
const MESSAGE_CHARS_MAX = 500;

/** Never cut in the middle of a character: grpc-js throws on a lone surrogate. */
function shorten(text: string): string {
  return (text.length > MESSAGE_CHARS_MAX ? `${text.slice(0, MESSAGE_CHARS_MAX - 1)}…` : text).toWellFormed();
}
