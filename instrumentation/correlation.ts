import {
  type Baggage,
  type Context,
  context,
  propagation,
  type Span,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';
import { isTracingSuppressed } from '@opentelemetry/core';
import { untilDone } from './operation-end.ts';
import { validSpanContext } from './span-contexts.ts';

/**
 * Two ids ride in W3C baggage over every HTTP and gRPC hop, under these names and no others. The same names are the
 * attributes that every span, log and snapshot is stamped with. This list is the allow-list: whatever else is in the
 * baggage (it may hold personal data) is passed on as the standard says and recorded nowhere.
 */
export const CORRELATION_ID = 'debug.correlation_id';
export const OPERATION_ID = 'debug.operation_id';

/** What services outside of this house usually send; read at the entry when there is no baggage, never written. */
const CORRELATION_HEADER = 'x-correlation-id';

/** A longer id from the network is ignored, one from the app is cut: 256 holds any uuid, ulid or URN that is meant as one. */
export const ID_LENGTH_MAX = 256;

/** Runs `fn` with a correlation id for everything that it does, here and in the services that it calls. */
export function withCorrelation<T>(correlationId: string, fn: () => T): T {
  return withId(CORRELATION_ID, correlationId, fn);
}

/** Runs `fn`, sync or async, as one business operation or one step of it, here and in the services that it calls. */
export function withOperation<T>(operationId: string, fn: () => T): T {
  return withId(OPERATION_ID, operationId, () => untilDone(operationId, fn()));
}

/**
 * The correlation id in force: the one that was given (by `withCorrelation`, a caller's baggage or its
 * `x-correlation-id` header), else the trace id. The trace id is the default because it needs no state: every hop
 * derives the same one, and a service without this package that only keeps the trace still correlates.
 */
export function currentCorrelation(): string | undefined {
  return correlationOf(context.active());
}

/** The operation id in force. There is no default: what is nobody's operation has none. */
export function currentOperation(): string | undefined {
  return operationOf(context.active());
}

export function correlationOf(ctx: Context): string | undefined {
  return givenCorrelation(ctx) ?? traceIdOf(ctx);
}

export function operationOf(ctx: Context): string | undefined {
  return baggageId(ctx, OPERATION_ID);
}

/** Without the default: a baggage that only repeats the trace id was derived by the caller's side, not given. */
export function givenCorrelation(ctx: Context): string | undefined {
  const id = baggageId(ctx, CORRELATION_ID);
  return id === undefined || id === traceIdOf(ctx) ? undefined : id;
}

/** Wraps the propagator in use, so that ids come in from either header and leave with every request. */
export class CorrelationPropagator implements TextMapPropagator {
  readonly #inner: TextMapPropagator;
  readonly #isOurs: (host: string) => boolean;
  readonly #hasBaggage: boolean;

  /** @param isOurs whether a host may be told the ids; the others get the trace only, as the standard says */
  constructor(inner: TextMapPropagator, isOurs: (host: string) => boolean = () => true) {
    this.#inner = inner;
    this.#isOurs = isOurs;
    this.#hasBaggage = inner.fields().includes('baggage');
  }

  extract(ctx: Context, carrier: unknown, getter: TextMapGetter): Context {
    const extracted = this.#inner.extract(ctx, carrier, getter);
    if (givenCorrelation(extracted) !== undefined) return extracted;
    const header = getter.get(carrier, CORRELATION_HEADER);
    const id = Array.isArray(header) ? header[0] : header;
    return isUsableId(id) ? withBaggageId(extracted, CORRELATION_ID, id) : extracted;
  }

  inject(ctx: Context, carrier: unknown, setter: TextMapSetter): void {
    const host = hostCalled(ctx);
    if (host !== undefined && !this.#isOurs(host)) {
      this.#inner.inject(withoutIds(ctx), carrier, setter);
      return;
    }
    // Says the derived id out loud to the next service: it may start a new trace, or copy only baggage to its records.
    const minted = isTracingSuppressed(ctx) || givenCorrelation(ctx) !== undefined ? undefined : traceIdOf(ctx);
    const baggage = propagation.getBaggage(ctx);
    const isToldAlready = minted === undefined || baggage?.getEntry(CORRELATION_ID)?.value === minted;
    this.#inner.inject(isToldAlready || !baggage ? ctx : withBaggageId(ctx, CORRELATION_ID, minted), carrier, setter);
    // As the propagator would write it of a baggage that only it would read.
    if (!isToldAlready && !baggage && this.#hasBaggage) setter.set(carrier, 'baggage', `${CORRELATION_ID}=${minted}`);
  }

  fields(): string[] {
    return this.#inner.fields();
  }
}

/** Of the client span that is about to leave; a message in a queue is for nobody in particular. */
function hostCalled(ctx: Context): string | undefined {
  const span = trace.getSpan(ctx) as { attributes?: Record<string, unknown> } | undefined;
  const host = span?.attributes?.['url.full'] === undefined ? undefined : span.attributes['server.address'];
  return typeof host === 'string' ? host : undefined;
}

function withoutIds(ctx: Context): Context {
  const baggage = propagation.getBaggage(ctx);
  return baggage ? propagation.setBaggage(ctx, baggage.removeEntries(CORRELATION_ID, OPERATION_ID)) : ctx;
}

function withId<T>(key: string, id: string, fn: () => T): T {
  const value = String(id ?? '').slice(0, ID_LENGTH_MAX);
  if (value === '') return fn();
  const ctx = withBaggageId(context.active(), key, value);
  stampEntrySpan(key, value, ctx);
  return context.with(ctx, fn);
}

/**
 * An id is mostly known only inside the handler, when the server span is long started. The first one that is given is
 * that span's too; a second operation in the same request does not rename the first.
 */
function stampEntrySpan(key: string, value: string, ctx: Context): void {
  const span = trace.getSpan(ctx) as (Span & { attributes?: Record<string, unknown> }) | undefined;
  if (!span?.isRecording()) return;
  const present = span.attributes?.[key];
  const derived = key === CORRELATION_ID && present === span.spanContext().traceId;
  if (present === undefined || derived) span.setAttribute(key, value);
}

function withBaggageId(ctx: Context, key: string, value: string): Context {
  const baggage: Baggage = propagation.getBaggage(ctx) ?? propagation.createBaggage();
  return propagation.setBaggage(ctx, baggage.setEntry(key, { value }));
}

function baggageId(ctx: Context, key: string): string | undefined {
  const value = propagation.getBaggage(ctx)?.getEntry(key)?.value;
  return isUsableId(value) ? value : undefined;
}

function isUsableId(id: string | undefined): id is string {
  return id !== undefined && id !== '' && id.length <= ID_LENGTH_MAX;
}

function traceIdOf(ctx: Context): string | undefined {
  return validSpanContext(ctx)?.traceId;
}
