/**
 * One vocabulary of failure. Rooms throw a `DebugError` with a code; each edge has one table that turns codes into its own
 * words (receiver/status.ts for OTLP, query/rest/problem.ts for REST). A client's mistake is final, a server's
 * trouble is retryable and may say when.
 */
export const ERROR_CODES = [
  'MALFORMED', // the bytes or the query cannot be read
  'INVALID', // readable, but a field does not validate
  'UNSUPPORTED', // content type, encoding, method or service that we do not have
  'TOO_LARGE',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'CONFLICT',
  'THROTTLED',
  'UNAVAILABLE', // journal full, store away, stopping: the same request may succeed later
  'DISABLED',
  'INTERNAL', // our mistake
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export interface FieldError {
  /** JSON path of the field, as `events[2].level`. */
  field: string;
  message: string;
}

export class DebugError extends Error {
  override name = 'DebugError';
  readonly code: ErrorCode;
  /** What outside calls it where that is finer than `code`: `EVENT_NOT_FOUND`. */
  readonly reason: string | undefined;
  readonly fields: readonly FieldError[];
  /** Seconds after which a retry makes sense. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: { reason?: string; fields?: readonly FieldError[]; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.reason = more.reason;
    this.fields = more.fields ?? [];
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}
