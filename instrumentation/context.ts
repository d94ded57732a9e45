import type { Context } from '@opentelemetry/api';

/**
 * A context as OpenTelemetry's API describes it, as a list of what was set. The API's own copies a Map for every value; a request
 * sets three to five.
 */
class LightContext implements Context {
  readonly #key: symbol | undefined;
  readonly #value: unknown;
  readonly #rest: LightContext | undefined;

  constructor(key?: symbol, value?: unknown, rest?: LightContext) {
    this.#key = key;
    this.#value = value;
    this.#rest = rest;
  }

  getValue(key: symbol): unknown {
    for (let at: LightContext | undefined = this; at !== undefined; at = at.#rest)
      if (at.#key === key) return at.#value;
    return undefined;
  }

  setValue(key: symbol, value: unknown): Context {
    return new LightContext(key, value, this.#without(key));
  }

  deleteValue(key: symbol): Context {
    return this.#without(key) ?? EMPTY_CONTEXT;
  }

  /** A key stands once in the list: a loop in which each span is the child of the one before would hold all of them else. */
  #without(key: symbol): LightContext | undefined {
    if (this.#key === key) return this.#rest;
    if (this.#rest === undefined) return this;
    const rest = this.#rest.#without(key);
    return rest === this.#rest ? this : new LightContext(this.#key, this.#value, rest);
  }
}

/** In the place of the API's `ROOT_CONTEXT`, for contexts that begin with a request. */
export const EMPTY_CONTEXT: Context = new LightContext();
