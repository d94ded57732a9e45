/**
 * The records of one request as the walk leaves them: where each lies in the request's bytes, what it is and whose. A record is a row
 * of 17 words instead of an object with bigints in it, which was most of the garbage; a request of 512 records is one array of 32 kB.
 *
 * A row holds 64-bit values as two words (low first), texts as positions in the table's lists, and the duration as a float.
 */
import type { BlockRecord, ComponentRef, SourceEnvelope } from './block.ts';
import { NO_PAIRS, PairLists } from './pair-lists.ts';

/** Words of a row. */
export const TIME_LOW = 0;
export const TIME_HIGH = 1;
export const HASH_LOW = 2;
export const HASH_HIGH = 3;
/** Range of the record in the request; the events of a span and the points of a metric have that of their owner. */
export const START = 4;
export const END = 5;
/** 0: the record is the whole message. n: the nth span event of the span, or the nth data point of the metric. */
export const PART = 6;
/**
 * Range of the message: a log's body or name, an exception's message, the name of a span or a metric. Empty where there is none; ends before it
 * begins where the message is made of something else, or not known.
 */
export const MESSAGE_START = 7;
export const MESSAGE_END = 8;
/** Float, in milliseconds; -1 for what has no duration. */
export const DURATION = 9;
/** Position in `components`. */
export const COMPONENT = 10;
/** Position + 1 in `correlations`, `operations`, `traces`; 0 for none. */
export const CORRELATION = 11;
export const OPERATION = 12;
export const TRACE = 13;
/** Position in `envelopes`. */
export const ENVELOPE = 14;
/** Position in EVENT_TYPES, 8 bits further the severity number, and behind that {@link NAMED}. */
export const KIND = 15;
/** In `KIND`: the message is a name, of which no template is mined. */
export const NAMED = 1 << 16;

/** Where in `pairs` the list of the whole message begins: a span with its events, a metric with its points. */
export const PAIRS = 16;

export const ROW_WORDS = 17;

/** A record of a table as an object, for what is not in a hurry. */
export interface IndexedRecord extends BlockRecord {
  messageStart: number;
  messageEnd: number;
  durationMs: number;
}

export class RecordTable implements Iterable<IndexedRecord> {
  /** Position in SIGNALS. */
  readonly signal: number;
  readonly body: Uint8Array;
  /** How many rows are used. */
  length = 0;
  /** Rows, back to back; replaced when it grows. */
  words: Uint32Array;
  /** The same memory. */
  floats: Float32Array;
  readonly envelopes: SourceEnvelope[] = [];
  /** For each envelope where in `pairs` the lists of its resource and its scope begin, in turn. */
  readonly envelopePairs: number[] = [];
  readonly pairs: PairLists;
  readonly components: ComponentRef[] = [];
  // Not always distinct: two spellings of one text may stand apart, which costs a place and nothing else.
  correlations: readonly string[] = [];
  operations: readonly string[] = [];
  /** 32 hex each. */
  traces: readonly string[] = [];

  /** @param capacity rows to begin with  @param pairs of them */
  constructor(signal: number, body: Uint8Array, capacity: number, pairs = new PairLists(0)) {
    this.signal = signal;
    this.body = body;
    this.pairs = pairs;
    this.words = new Uint32Array(Math.max(capacity, 1) * ROW_WORDS);
    this.floats = new Float32Array(this.words.buffer);
  }

  /** A table of one record that is held as an object; its attributes are not known. */
  static of(record: BlockRecord): RecordTable {
    const table = new RecordTable(record.signal, record.body, 1);
    const { words } = table;
    const code = (text: string | null) => (text === null ? 0 : 1);
    const list = (text: string | null) => (text === null ? [] : [text]);
    table.push();
    table.pairs.known = false;
    table.envelopes.push(record.envelope);
    table.envelopePairs.push(NO_PAIRS, NO_PAIRS);
    table.components.push(record.component);
    table.correlations = list(record.correlation);
    table.operations = list(record.operation);
    table.traces = list(record.trace);
    words[TIME_LOW] = Number(record.time & 0xffff_ffffn);
    words[TIME_HIGH] = Number(record.time >> 32n);
    words[HASH_LOW] = Number(record.hash & 0xffff_ffffn);
    words[HASH_HIGH] = Number(record.hash >> 32n);
    words[START] = record.start;
    words[END] = record.end;
    words[PART] = record.part;
    words[CORRELATION] = code(record.correlation);
    words[OPERATION] = code(record.operation);
    words[TRACE] = code(record.trace);
    words[KIND] = record.type | (record.severity << 8);
    words[MESSAGE_START] = record.messageStart ?? 1;
    words[MESSAGE_END] = record.messageEnd ?? 0;
    return table;
  }

  /** Adds a row of zeros. @returns where in `words` it begins */
  push(): number {
    const at = this.length++ * ROW_WORDS;
    if (at === this.words.length) this.#grow();
    return at;
  }

  /** Leaves out the rows of which `keep` says so, without changing the order of the others. @param keep is told where a row begins */
  filter(keep: (at: number) => boolean): void {
    this.filtering(keep, Number.POSITIVE_INFINITY).next();
  }

  /** The same in steps of so many rows, between which others may have their turn. The table is to be left alone until it has ended. */
  *filtering(keep: (at: number) => boolean, rows: number): Generator<void, void> {
    const { words } = this;
    const end = this.length * ROW_WORDS;
    let to = 0;
    for (let at = 0; at < end; ) {
      for (const stop = Math.min(end, at + rows * ROW_WORDS); at < stop; at += ROW_WORDS) {
        if (!keep(at)) continue;
        if (to !== at) words.copyWithin(to, at, at + ROW_WORDS);
        to += ROW_WORDS;
      }
      if (at < end) yield;
    }
    this.length = to / ROW_WORDS;
  }

  /** @param row 0 to length - 1 */
  record(row: number): IndexedRecord {
    const { words, floats } = this;
    const at = row * ROW_WORDS;
    const text = (list: readonly string[], code: number) => (code === 0 ? null : list[code - 1]!);
    return {
      time: pairOf(words[at + TIME_HIGH]!, words[at + TIME_LOW]!),
      hash: pairOf(words[at + HASH_HIGH]!, words[at + HASH_LOW]!),
      type: words[at + KIND]! & 0xff,
      signal: this.signal,
      severity: (words[at + KIND]! >>> 8) & 0xff,
      part: words[at + PART]!,
      component: this.components[words[at + COMPONENT]!]!,
      correlation: text(this.correlations, words[at + CORRELATION]!),
      operation: text(this.operations, words[at + OPERATION]!),
      trace: text(this.traces, words[at + TRACE]!),
      template: null,
      envelope: this.envelopes[words[at + ENVELOPE]!]!,
      body: this.body,
      start: words[at + START]!,
      end: words[at + END]!,
      receivedAt: 0n,
      messageStart: words[at + MESSAGE_START]!,
      messageEnd: words[at + MESSAGE_END]!,
      durationMs: floats[at + DURATION]!,
    };
  }

  *[Symbol.iterator](): Iterator<IndexedRecord> {
    for (let row = 0; row < this.length; row++) yield this.record(row);
  }

  map<T>(change: (record: IndexedRecord, row: number) => T): T[] {
    return Array.from(this, change);
  }

  #grow(): void {
    const words = new Uint32Array(this.words.length * 2);
    words.set(this.words);
    this.words = words;
    this.floats = new Float32Array(words.buffer);
  }
}

export function pairOf(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}
