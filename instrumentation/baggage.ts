import {
  type Context,
  propagation,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api';
import { isTracingSuppressed, W3CBaggagePropagator } from '@opentelemetry/core';
import { CORRELATION_ID } from './correlation.ts';

const BAGGAGE_HEADER = 'baggage';
const ALONE = /^debug\.correlation_id=([\w.~-]{1,256})$/;
const WRITTEN_AS_IT_IS = /^[\w.~-]{1,256}$/;

/**
 * W3C baggage, with a short way for a correlation id that is alone in it and needs no escape, as nearly every call between two services of
 * ours brings it (`/fan` of `npm run bench:instrumentation`). All else is the library's.
 */
export class BaggagePropagator implements TextMapPropagator {
  readonly #library = new W3CBaggagePropagator();

  extract(ctx: Context, carrier: unknown, getter: TextMapGetter): Context {
    const header = getter.get(carrier, BAGGAGE_HEADER);
    if (header === undefined) return ctx;
    const id = typeof header === 'string' ? ALONE.exec(header)?.[1] : undefined;
    if (id === undefined) return this.#library.extract(ctx, carrier, getter);
    return propagation.setBaggage(ctx, propagation.createBaggage({ [CORRELATION_ID]: { value: id } }));
  }

  inject(ctx: Context, carrier: unknown, setter: TextMapSetter): void {
    const entries = propagation.getBaggage(ctx)?.getAllEntries();
    if (entries === undefined) return;
    const [key, entry] = entries[0] ?? [];
    const isAlone = entries.length === 1 && key === CORRELATION_ID && entry!.metadata === undefined;
    if (!isAlone || !WRITTEN_AS_IT_IS.test(entry!.value)) this.#library.inject(ctx, carrier, setter);
    else if (!isTracingSuppressed(ctx)) setter.set(carrier, BAGGAGE_HEADER, `${CORRELATION_ID}=${entry!.value}`);
  }

  fields(): string[] {
    return this.#library.fields();
  }
}
