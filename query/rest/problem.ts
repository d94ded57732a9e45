/** Failures as RFC 9457 problem details: the one table from the house's error codes to HTTP. */
import { DebugError, type ErrorCode, type FieldError } from '../../base/errors.ts';

export interface Problem {
  type: 'about:blank';
  /** The phrase of the status. */
  title: string;
  status: number;
  detail: string;
  /** The path that was asked for. */
  instance: string;
  /** What a program decides by: `EVENT_NOT_FOUND`, else the name of the kind of failure. */
  code: string;
  /** The fields or parameters that are wrong. */
  errors: readonly FieldError[];
  request_id: string;
}

const STATUS: Record<ErrorCode, number> = {
  MALFORMED: 400,
  INVALID: 422,
  UNSUPPORTED: 415,
  TOO_LARGE: 413,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  THROTTLED: 429,
  UNAVAILABLE: 503,
  DISABLED: 503,
  INTERNAL: 500,
};

/** Reasons that have a status of their own. */
const STATUS_OF_REASON: Record<string, number> = { METHOD_NOT_ALLOWED: 405, MISDIRECTED: 421 };

const TITLE: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

// A store that is away or a full journal is back within seconds or not soon; a disabled system is not back by itself.
const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = { THROTTLED: 1, UNAVAILABLE: 2, DISABLED: 60 };

/** @returns the problem, and the headers that go with it */
export function problemOf(
  thrown: unknown,
  instance: string,
  request_id: string,
): { problem: Problem; headers: Record<string, string> } {
  const error = thrown instanceof DebugError ? thrown : undefined;
  const code = error?.code ?? 'INTERNAL';
  const status = STATUS_OF_REASON[error?.reason ?? ''] ?? STATUS[code];
  const retry = error?.retryAfterSeconds ?? RETRY_AFTER_SECONDS[code];
  return {
    problem: {
      type: 'about:blank',
      title: TITLE[status]!,
      status,
      // What went wrong inside stays inside; the log has it under the request id.
      detail: code === 'INTERNAL' ? 'an error of ours; the log knows it by the request id' : error!.message,
      instance,
      code: error?.reason ?? (code === 'DISABLED' ? 'DEBUG_DISABLED' : code),
      errors: error?.fields ?? [],
      request_id,
    },
    headers: {
      ...(retry !== undefined && { 'Retry-After': String(retry) }),
      ...(status === 401 && { 'WWW-Authenticate': 'Bearer' }),
    },
  };
}
