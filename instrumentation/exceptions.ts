import type { Attributes } from '@opentelemetry/api';

/** `exception.type`, `.message` and `.stacktrace` of whatever was thrown or logged, as the specification maps them. */
export function exceptionAttributes(exception: unknown): Attributes {
  if (typeof exception !== 'object' || exception === null) return { 'exception.message': String(exception) };
  const { code, name, message, stack } = exception as {
    code?: unknown;
    name?: unknown;
    message?: unknown;
    stack?: unknown;
  };
  const type = code || name;
  return {
    ...(type ? { 'exception.type': String(type) } : {}),
    ...(message === undefined ? {} : { 'exception.message': String(message) }),
    ...(stack ? { 'exception.stacktrace': String(stack) } : {}),
  };
}
