import type { Counter, Histogram, Meter } from '../base/meter.ts';

export interface JournalStats {
  /** Position of the last entry on disk; 0n before the first. */
  durable: bigint;
  /** Of entries not released. */
  bytes: number;
  bytesMax: number;
  /** Of entries not yet taken. */
  unreadBytes: number;
  /** Not released, of those appended since the start. */
  entries: number;
  /** Since the oldest entry that is not released arrived; 0 when there is none. */
  lagSeconds: number;
  segments: number;
  /** Of files set aside. */
  quarantinedBytes: number;
  /** Passed over since the start because they could not be read. */
  damagedBytes: number;
}

export interface JournalMetrics {
  appendedBytes: Counter;
  /** By `reason`: full, disk, stopping, too_large. */
  refused: Counter;
  damagedBytes: Counter;
  commitSeconds: Histogram;
  syncSeconds: Histogram;
  batchEntries: Histogram;
}

export function createJournalMetrics(meter: Meter, stats: () => JournalStats): JournalMetrics {
  meter.gauge('journal_bytes', 'Bytes of entries that wait for the store.', () => stats().bytes);
  meter.gauge('journal_unread_bytes', 'Bytes of entries that nobody has taken yet.', () => stats().unreadBytes);
  meter.gauge(
    'journal_entries',
    'Requests that wait for the store, of those that came since the start.',
    () => stats().entries,
  );
  meter.gauge(
    'journal_lag_seconds',
    'Age of the oldest request that the store has not; 0 when it has all.',
    () => stats().lagSeconds,
  );
  meter.gauge('journal_segments', 'Files of the journal.', () => stats().segments);
  meter.gauge(
    'journal_quarantined_bytes',
    'Bytes of files set aside because they are damaged or not ours.',
    () => stats().quarantinedBytes,
  );
  return {
    appendedBytes: meter.counter('journal_appended_bytes_total', 'Bytes of entries made durable.'),
    refused: meter.counter('journal_refused_total', 'Appends refused.', ['reason']),
    damagedBytes: meter.counter('journal_damaged_bytes_total', 'Bytes passed over because they could not be read.'),
    commitSeconds: meter.histogram('journal_commit_seconds', 'One group commit: write and fdatasync.', BUCKETS_SECONDS),
    syncSeconds: meter.histogram('journal_fsync_seconds', 'One fdatasync.', BUCKETS_SECONDS),
    batchEntries: meter.histogram('journal_batch_entries', 'Requests that shared one fdatasync.', BUCKETS_ENTRIES),
  };
}

const BUCKETS_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2];
const BUCKETS_ENTRIES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
