/**
 * What the store has been told of the resources that speak. One that goes on is told of once a minute of its records, and once an hour
 * whatever they say, so that a row that was lost comes back; all is told again after a restart. What is known is only what has been
 * committed, so that a flush that is made again brings what it brought before.
 */
import { LRUCache } from 'lru-cache';
import type { Meter } from '../base/meter.ts';
import { ContentHash } from '../model/hash.ts';
import { RESOURCE_LAG_NANOS, type Resource, resourceHash } from '../model/resource.ts';
import { readResource } from '../otlp/read.ts';

export class KnownResources {
  /** Of the bytes in which a resource was sent, what it says: null for too much. */
  readonly #hashes = new LRUCache<string, { hash: string | null }>({ max: RESOURCES_MAX });
  readonly #stored = new LRUCache<string, { first: bigint; last: bigint }>({ max: RESOURCES_MAX, ttl: STORED_MS });
  readonly #hash = new ContentHash();
  readonly #tooLarge;

  constructor({ meter }: { meter?: Meter } = {}) {
    this.#tooLarge = meter?.counter(
      'resources_too_large_total',
      'Requests of a resource of more than 64 KiB, which is not listed',
    );
  }

  /** @returns as {@link resourceHash} of the attributes; null of a resource that is too large to be listed */
  hashOf(body: Uint8Array, start: number, end: number): string | null {
    const { high, low } = this.#hash.reset().bytes(body, start, end).end();
    const bytes = `${high} ${low}`;
    let known = this.#hashes.get(bytes);
    if (known === undefined) {
      const isTooLarge = end - start > RESOURCE_BYTES_MAX;
      known = { hash: isTooLarge ? null : resourceHash(readResource(body.subarray(start, end))) };
      this.#hashes.set(bytes, known);
    }
    if (known.hash === null) this.#tooLarge?.inc();
    return known.hash;
  }

  /** Whether the store knows as much, but for a minute at the end. */
  has(tenant: string, row: Omit<Resource, 'attributes'>): boolean {
    const known = this.#stored.get(nameOf(tenant, row));
    return known !== undefined && known.first <= row.first_time && row.last_time <= known.last + RESOURCE_LAG_NANOS;
  }

  /** To be called when they have been committed. */
  stored(tenant: string, rows: readonly Resource[]): void {
    for (const row of rows) {
      const name = nameOf(tenant, row);
      const known = this.#stored.get(name);
      const { first_time: first, last_time: last } = row;
      this.#stored.set(name, {
        first: known !== undefined && known.first < first ? known.first : first,
        last: known !== undefined && known.last > last ? known.last : last,
      });
    }
  }
}

// Some 250 bytes each. Of more that speak at once the rest is told with each flush.
const RESOURCES_MAX = 16_384;
const RESOURCE_BYTES_MAX = 64 << 10;
const STORED_MS = 3_600_000;

/** Senders choose what components are called: no separator would tell them apart. */
function nameOf(tenant: string, { hash, component_type, component_id }: Omit<Resource, 'attributes'>): string {
  return `${hash} ${tenant.length} ${tenant}${component_type.length} ${component_type}${component_id}`;
}
