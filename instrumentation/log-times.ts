import type { HrTime } from '@opentelemetry/api';
import type { LogRecordProcessor, ReadWriteLogRecord } from '@opentelemetry/sdk-logs';

const NANOS_PER_MS = 1_000_000;

/**
 * Loggers know milliseconds. Two equal lines in one of them would be one record to a receiver that tells records apart by
 * what they say, and the order of different ones would be lost. So the n-th record of a millisecond is n ns later.
 */
export class DistinctLogTimes implements LogRecordProcessor {
  readonly #nowMs: () => number;
  #lastMs = 0;
  #sequence = 0;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  onEmit(record: ReadWriteLogRecord): void {
    const ms = Math.trunc(this.#nowMs());
    this.#sequence = ms === this.#lastMs ? Math.min(this.#sequence + 1, NANOS_PER_MS - 1) : 0;
    this.#lastMs = ms;
    record.hrTimeObserved = [Math.trunc(ms / 1000), (ms % 1000) * NANOS_PER_MS + this.#sequence];
    if (isWholeMs(record.hrTime)) record.hrTime = [record.hrTime[0], record.hrTime[1] + this.#sequence];
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

function isWholeMs([, nanos]: HrTime): boolean {
  return nanos % NANOS_PER_MS === 0;
}
