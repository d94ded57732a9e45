import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';
import packageJson from './package.json' with { type: 'json' };

/**
 * What a message brings along besides its payload: an object of headers (BullMQ job data, SQS attributes, Kafka headers,
 * whose values may be bytes or lists) or the flat list of fields and values that a Redis stream takes.
 */
export type Carrier = Record<string, unknown> | string[];

/**
 * Writes trace, correlation and operation into a message that is about to be sent, and returns it: `queue.add('ship',
 * carry({ order: 7 }))`, `redis.xadd('orders', '*', ...carry(['order', '7']))`.
 */
export function carry<C extends Carrier>(carrier: C): C {
  propagation.inject(context.active(), carrier, CARRIER);
  return carrier;
}

/** Runs `fn`, sync or async, as the work on a message: within a span of its own, under the ids that the message carries. */
export function resume<T>(name: string, carrier: Carrier | undefined, fn: () => T): T {
  const parent = propagation.extract(ROOT_CONTEXT, carrier ?? {}, CARRIER);
  return withSpan(name, parent, fn);
}

function withSpan<T>(name: string, parent: Context, fn: () => T): T {
  const tracer = trace.getTracer(packageJson.name, packageJson.version);
  const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER }, parent);
  return context.with(trace.setSpan(parent, span), () => {
    try {
      const result = fn();
      if (!isPromise(result)) {
        span.end();
        return result;
      }
      return result.then(
        (value) => {
          span.end();
          return value;
        },
        (error) => {
          fail(span, error);
          throw error;
        },
      ) as T;
    } catch (error) {
      fail(span, error);
      throw error;
    }
  });
}

function fail(span: Span, error: unknown): void {
  span.recordException(error instanceof Error ? error : String(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message: String((error as Error)?.message ?? error) });
  span.end();
}

function isPromise<T>(value: T): value is T & Promise<Awaited<T>> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}

const CARRIER: TextMapSetter<Carrier> & TextMapGetter<Carrier> = {
  set(carrier, key, value) {
    if (!Array.isArray(carrier)) {
      carrier[key] = value;
      return;
    }
    const at = fieldAt(carrier, key);
    if (at < 0) carrier.push(key, value);
    else carrier[at + 1] = value;
  },
  get(carrier, key) {
    const value = Array.isArray(carrier) ? fieldOf(carrier, key) : carrier[key];
    const first = Array.isArray(value) ? value[0] : value;
    if (first instanceof Uint8Array) return Buffer.from(first).toString();
    return typeof first === 'string' ? first : undefined;
  },
  keys: (carrier) => (Array.isArray(carrier) ? carrier.filter((_, i) => i % 2 === 0) : Object.keys(carrier)),
};

function fieldAt(fields: string[], name: string): number {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return i;
  return -1;
}

function fieldOf(fields: string[], name: string): string | undefined {
  const at = fieldAt(fields, name);
  return at < 0 ? undefined : fields[at + 1];
}
