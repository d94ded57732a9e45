import {
  type Baggage,
  type BaggageEntry,
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
    return propagation.setBaggage(ctx, new LoneId(id));
  }

  inject(ctx: Context, carrier: unknown, setter: TextMapSetter): void {
    const baggage = propagation.getBaggage(ctx);
    if (baggage === undefined) return;
    const id = baggage instanceof LoneId ? baggage.id : loneIdIn(baggage);
    if (id === undefined || !WRITTEN_AS_IT_IS.test(id)) this.#library.inject(ctx, carrier, setter);
    else if (!isTracingSuppressed(ctx)) setter.set(carrier, BAGGAGE_HEADER, `${CORRELATION_ID}=${id}`);
  }

  fields(): string[] {
    return this.#library.fields();
  }
}

function loneIdIn(baggage: Baggage): string | undefined {
  const entries = baggage.getAllEntries();
  const [key, entry] = entries[0] ?? [];
  return entries.length === 1 && key === CORRELATION_ID && entry!.metadata === undefined ? entry!.value : undefined;
}

/** A baggage that holds a correlation id and nothing else, without the API's map and the copies that it makes for each question. */
class LoneId implements Baggage {
  readonly id: string;
  readonly #entry: BaggageEntry;

  constructor(id: string) {
    this.id = id;
    this.#entry = { value: id };
  }

  getEntry(key: string): BaggageEntry | undefined {
    return key === CORRELATION_ID ? this.#entry : undefined;
  }

  getAllEntries(): [string, BaggageEntry][] {
    return [[CORRELATION_ID, { ...this.#entry }]];
  }

  setEntry(key: string, entry: BaggageEntry): Baggage {
    return this.#copy().setEntry(key, entry);
  }

  removeEntry(key: string): Baggage {
    return this.#copy().removeEntry(key);
  }

  removeEntries(...keys: string[]): Baggage {
    return this.#copy().removeEntries(...keys);
  }

  clear(): Baggage {
    return this.#copy().clear();
  }

  #copy(): Baggage {
    return propagation.createBaggage({ [CORRELATION_ID]: { ...this.#entry } });
  }
}
