import { CORRELATION, pairOf, type RecordTable, TIME_HIGH, TIME_LOW, TRACE } from '../model/records.ts';
import type { TraceCorrelation } from '../model/rollup.ts';

/** What the rows of record tables say about the correlation of their traces. The smallest (time, text) wins, so that the order of arrival does not matter. */
export class TraceCorrelations {
  readonly #known = new Map<string, TraceCorrelation>();
  #table!: RecordTable;
  // Of each trace of the table what was noted last: spans of a trace repeat it, mostly later.
  #correlations: number[] = [];
  #timeHighs: number[] = [];
  #timeLows: number[] = [];

  /** The rows that follow are of this table. */
  begin(table: RecordTable): void {
    this.#table = table;
    this.#correlations = [];
    this.#timeHighs = [];
    this.#timeLows = [];
  }

  /** @param at where the row begins */
  note(at: number): void {
    const { words } = this.#table;
    const trace = words[at + TRACE]!;
    const correlation = words[at + CORRELATION]!;
    if (trace === 0 || correlation === 0) return;
    const timeHigh = words[at + TIME_HIGH]!;
    const timeLow = words[at + TIME_LOW]!;
    if (this.#correlations[trace] === correlation) {
      const knownHigh = this.#timeHighs[trace]!;
      if (timeHigh > knownHigh || (timeHigh === knownHigh && timeLow >= this.#timeLows[trace]!)) return;
    }
    this.#correlations[trace] = correlation;
    this.#timeHighs[trace] = timeHigh;
    this.#timeLows[trace] = timeLow;
    const { traces, correlations } = this.#table;
    this.#keep(traces[trace - 1]!, correlations[correlation - 1]!, pairOf(timeHigh, timeLow));
  }

  rows(): TraceCorrelation[] {
    return [...this.#known.values()];
  }

  #keep(trace: string, correlation: string, time: bigint): void {
    const known = this.#known.get(trace);
    if (known !== undefined && (known.time < time || (known.time === time && known.correlation_id <= correlation)))
      return;
    this.#known.set(trace, { trace_id: trace, correlation_id: correlation, time });
  }
}
