/** Records that could not be read, by tenant: their senders have given them up, so that whoever asks is told that they are missing. */
import { LRUCache } from 'lru-cache';

export interface Rejected {
  add(tenant: string, records: number): void;
  /** Since the start of the process. */
  of(tenant: string): number;
}

export function createRejected(): Rejected {
  const records = new LRUCache<string, number>({ max: TENANTS_MAX });
  return {
    add: (tenant, more) => records.set(tenant, (records.get(tenant) ?? 0) + more),
    of: (tenant) => records.get(tenant) ?? 0,
  };
}

const TENANTS_MAX = 10_000;
