/**
 * How many names of one tenant are counted by themselves (F22). What varies without end, a service named after a pod or a template that is
 * a random text, would make minutes as many as records; what comes after the bound is counted under one name, and its records and
 * blocks keep their own. A resource is not counted, but listed: those beyond the bound are not. A name that has not been seen for an hour or two makes room for another.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import type { Meter } from '../base/meter.ts';

/** What stands in minutes and templates for all names beyond the bound. */
export const OVERFLOW = 'otel.overflow';

export const NAME_KINDS = ['component', 'template', 'peer', 'resource'] as const;
export type NameKind = (typeof NAME_KINDS)[number];

export interface Cardinality {
  /** Whether the name is counted by itself; from now on it is one of those, if there is room. */
  admits(tenant: string, kind: NameKind, name: string): boolean;
}

export interface CardinalityOptions {
  /** Names of each kind and tenant. Default 10,000: a health answer over an hour reads 600,000 minutes at most. */
  namesMax?: number;
  clock: Clock;
  meter: Meter;
}

export function createCardinality({ namesMax = 10_000, clock, meter }: CardinalityOptions): Cardinality {
  const overflow = meter.counter(
    'cardinality_overflow_total',
    `Times that a name was counted under ${OVERFLOW}, or a resource not listed, for want of room.`,
    ['kind'],
  );
  for (const kind of NAME_KINDS) overflow.inc({ kind }, 0);
  const tenants = new LRUCache<string, Record<NameKind, Names>>({ max: TENANTS_MAX });

  return {
    admits(tenant, kind, name) {
      let known = tenants.get(tenant);
      if (known === undefined) {
        const names = () => new Names(namesMax);
        known = { component: names(), template: names(), peer: names(), resource: names() };
        tenants.set(tenant, known);
      }
      if (known[kind].admits(name, clock.monotonicMs())) return true;
      overflow.inc({ kind });
      return false;
    },
  };
}

const TENANTS_MAX = 1000;
const GENERATION_MS = 3_600_000;

/** Two generations: those seen in this hour, and those of the hour before that were not seen since. */
class Names {
  readonly #max: number;
  #young = new Set<string>();
  #old = new Set<string>();
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor(max: number) {
    this.#max = max;
  }

  admits(name: string, nowMs: number): boolean {
    if (nowMs - this.#sinceMs > GENERATION_MS) {
      this.#old = this.#young;
      this.#young = new Set();
      this.#sinceMs = nowMs;
    }
    if (this.#young.has(name)) return true;
    if (!this.#old.delete(name) && this.#young.size + this.#old.size >= this.#max) return false;
    this.#young.add(name);
    return true;
  }
}
