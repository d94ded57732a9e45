/**
 * The one walk over a request's bytes: finds every record, says what it is, whose it is and which id it has, and refuses what
 * cannot be one. Records stay where they are; only the texts that columns need are decoded.
 *
 * The mapping is CONTRACT section 3: record attribute before scope before resource.
 */

import { createPause } from '../base/pause.ts';
import { SIGNALS, type Signal } from '../model/block.ts';
import { EVENT_TYPES, type EventType, SEVERITY_ERROR, severityOf } from '../model/event.ts';
import { ContentHash } from '../model/hash.ts';
import { PairLists } from '../model/pair-lists.ts';
import {
  COMPONENT,
  CORRELATION,
  DURATION,
  END,
  ENVELOPE,
  HASH_HIGH,
  HASH_LOW,
  KIND,
  MESSAGE_END,
  MESSAGE_START,
  NAMED,
  OPERATION,
  PAIRS,
  PART,
  RecordTable,
  START,
  TIME_HIGH,
  TIME_LOW,
  TRACE,
} from '../model/records.ts';
import { AttributeReader, ComponentFinder, Said } from './attributes.ts';
import { Cursor } from './cursor.ts';
import { type Head, headOf } from './head.ts';
import { identityOf } from './identity.ts';
import { DEFAULT_KEYS, type KeySettings, KeyTable } from './keys.ts';
import { LogMessage } from './log-message.ts';
import { addField, MessageHasher } from './message-hash.ts';
import { RangeDictionary } from './range-dictionary.ts';
import { isId, isText } from './ranges.ts';
import { severityInWords } from './severity.ts';
import { DEPTH_MAX, textOf } from './wire.ts';

export interface RequestIndex {
  records: RecordTable;
  /** Spans, log records or data points that the request holds and we keep. Span exception events are records, but not counted. */
  accepted: number;
  rejected: number;
  /** English, for `partial_success.error_message`; empty when nothing was rejected. */
  rejectedReason: string;
}

/** Walks a protobuf export request. @throws DebugError MALFORMED when the bytes are none */
export type Index = (signal: Signal, body: Uint8Array) => RequestIndex;

export interface Indexer extends Index {
  /** The same for requests of any size: what takes long is done in steps of a few milliseconds, between which others have their turn. */
  inTurns(signal: Signal, body: Uint8Array): Promise<RequestIndex>;
}

export function createIndexer(settings: KeySettings): Indexer {
  const keys = new KeyTable(settings);
  return Object.assign((signal: Signal, body: Uint8Array) => new RequestWalk(keys, signal, body).run(), {
    async inTurns(signal: Signal, body: Uint8Array) {
      const [walk, pause] = [new RequestWalk(keys, signal, body), createPause(1)];
      for (const _ of walk.steps()) await pause();
      return walk.index;
    },
  });
}

export const indexRequest: Indexer = createIndexer(DEFAULT_KEYS);

/** Records of one request that are kept; the others are rejected. A request of 64 MiB could bring 32 million empty ones. */
export const REQUEST_RECORDS_MAX = 1 << 20;

// 0.6 ms of usual records, 27 of empty ones on a busy machine; a request of 512 spans has a step and a bit, and both in one turn.
const STEP_BYTES = 256 * 1024;
// Guessed low, as a table doubles: usual records take 300 to 700 bytes.
const ROW_BYTES_GUESSED = 512;
const PAIR_BYTES_GUESSED = 40;
const TYPE_CODE = Object.fromEntries(EVENT_TYPES.map((type, code) => [type, code])) as Record<EventType, number>;
const SIGNAL_CODE = Object.fromEntries(SIGNALS.map((signal, code) => [signal, code])) as Record<Signal, number>;
const SEVERITY_INFO = severityOf('INFO');
const SNAPSHOT_EVENTS = new Set(['debug.state.snapshot', 'entity.state']);

class RequestWalk {
  readonly index: RequestIndex;
  readonly #signal: Signal;
  readonly #body: Uint8Array;
  readonly #table: RecordTable;
  // One cursor for each depth of the walk: ranges are nested, so none is used twice at once.
  readonly #requests: Cursor;
  readonly #envelopes: Cursor;
  readonly #scopes: Cursor;
  readonly #items: Cursor;
  readonly #fields: Cursor;
  readonly #parts: Cursor;
  readonly #view: DataView;
  readonly #attributes: AttributeReader;
  readonly #messages: MessageHasher;
  readonly #components: ComponentFinder;
  readonly #correlations: RangeDictionary;
  readonly #operations: RangeDictionary;
  readonly #traces: RangeDictionary;
  readonly #hash = new ContentHash();
  readonly #content = new ContentHash();
  readonly #resource = new Said();
  readonly #scope = new Said();
  readonly #record = new Said();
  readonly #part = new Said();
  readonly #message = new LogMessage();
  #envelopeComponent = 0;
  #resourceHigh = 0;
  #resourceLow = 0;
  #scopeHigh = 0;
  #scopeLow = 0;
  /** Where the events of the span lie that is being walked: start and end in turn. */
  readonly #events: number[] = [];
  #eventWords = 0;
  #pauseAt = STEP_BYTES;

  constructor(keys: KeyTable, signal: Signal, body: Uint8Array) {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const cursor = () => new Cursor(body, view);
    this.#signal = signal;
    this.#body = body;
    this.#view = view;
    const pairs = new PairLists(Math.ceil(body.length / PAIR_BYTES_GUESSED));
    this.#table = new RecordTable(SIGNAL_CODE[signal], body, Math.ceil(body.length / ROW_BYTES_GUESSED), pairs);
    this.index = { records: this.#table, accepted: 0, rejected: 0, rejectedReason: '' };
    this.#requests = cursor().over(0, body.length);
    this.#envelopes = cursor();
    this.#scopes = cursor();
    this.#items = cursor();
    this.#fields = cursor();
    this.#parts = cursor();
    this.#correlations = new RangeDictionary(body, identityOf);
    this.#operations = new RangeDictionary(body, identityOf);
    this.#traces = new RangeDictionary(body, (bytes, start, end) => bytes.subarray(start, end).toHex());
    this.#attributes = new AttributeReader(keys, body, view, this.#table.pairs, this.#correlations, this.#operations);
    this.#messages = new MessageHasher(body, view);
    this.#components = new ComponentFinder(this.#table.components);
    this.#table.correlations = this.#correlations.values;
    this.#table.operations = this.#operations.values;
    this.#table.traces = this.#traces.values;
  }

  run(): RequestIndex {
    for (const _ of this.steps());
    return this.index;
  }

  /** The walk, with a pause behind every STEP_BYTES of it. */
  *steps(): Generator<void> {
    const reader = this.#requests;
    while (reader.next()) {
      if (reader.field === 1) yield* this.#resourceItems(reader.range(), reader.position);
      else reader.skip();
      if (this.#stepDone(reader)) yield;
    }
  }

  #stepDone({ position }: Cursor): boolean {
    if (position < this.#pauseAt) return false;
    this.#pauseAt = position + STEP_BYTES;
    return position < this.#body.length;
  }

  /** ResourceSpans, ResourceLogs, ResourceMetrics: alike but for what their scopes hold. */
  *#resourceItems(start: number, end: number): Generator<void> {
    const reader = this.#envelopes.over(start, end);
    const resource = headOf(reader);
    this.#attributes.message(resource.start, resource.end, 1, this.#resource);
    this.#messages.hash(resource.start, resource.end);
    this.#resourceHigh = this.#messages.high;
    this.#resourceLow = this.#messages.low;
    reader.over(start, end);
    while (reader.next()) {
      if (reader.field === 2) yield* this.#scopeItems(reader.range(), reader.position, resource);
      else reader.skip();
      if (this.#stepDone(reader)) yield;
    }
  }

  *#scopeItems(start: number, end: number, resource: Head): Generator<void> {
    const reader = this.#scopes.over(start, end);
    const scope = headOf(reader);
    this.#attributes.message(scope.start, scope.end, 3, this.#scope);
    this.#messages.hash(scope.start, scope.end);
    this.#scopeHigh = this.#messages.high;
    this.#scopeLow = this.#messages.low;
    this.#envelopeComponent = this.#components.find([this.#scope, this.#resource]);
    this.#table.envelopes.push({
      resourceStart: resource.start,
      resourceEnd: resource.end,
      resourceSchemaUrl: resource.schemaUrl,
      scopeStart: scope.start,
      scopeEnd: scope.end,
      scopeSchemaUrl: scope.schemaUrl,
      nodeId: this.#resource.instanceId ?? this.#resource.podName ?? this.#resource.hostName,
    });
    this.#table.envelopePairs.push(this.#resource.pairs, this.#scope.pairs);
    reader.over(start, end);
    while (reader.next()) {
      if (reader.field !== 2) reader.skip();
      else if (this.#signal === 'span') this.#span(reader.range(), reader.position);
      else if (this.#signal === 'log') this.#log(reader.range(), reader.position);
      else this.#metric(reader.range(), reader.position);
      if (this.#stepDone(reader)) yield;
    }
  }

  /**
   * Its fields are hashed as they pass, as MessageHasher would: nearly every exporter writes them in ascending order. One that does not
   * has its record hashed by itself.
   */
  #log(start: number, end: number): void {
    const said = this.#record;
    const reader = this.#items.over(start, end);
    const content = this.#content.reset();
    const message = this.#message;
    message.clear();
    said.clear();
    said.pairs = this.#table.pairs.begin();
    let ordered = true;
    let last = 0;
    let timeLow = 0;
    let timeHigh = 0;
    let observedLow = 0;
    let observedHigh = 0;
    let severity = 0;
    let textStart = 0;
    let textEnd = 0;
    let snapshot = false;
    let trace = 0;
    while (reader.next()) {
      const { field } = reader;
      if (field < last) ordered = false;
      last = field;
      switch (field) {
        case 1:
          reader.fixedPair();
          timeLow = reader.low;
          timeHigh = reader.high;
          if ((timeLow | timeHigh) !== 0) content.number(1).pair(timeHigh, timeLow);
          break;
        case 11:
          reader.fixedPair();
          observedLow = reader.low;
          observedHigh = reader.high;
          if ((observedLow | observedHigh) !== 0) content.number(11).pair(observedHigh, observedLow);
          break;
        case 2: {
          const numberStart = reader.position;
          severity = reader.number();
          if (reader.position - numberStart > 4)
            ordered = false; // past 32 bits: to be hashed whole
          else if (severity !== 0) content.number(2).pair(0, severity);
          break;
        }
        case 3:
          textStart = this.#hashed(content, reader);
          textEnd = reader.position;
          break;
        case 5:
          this.#attributes.body(this.#hashed(content, reader), reader.position, said);
          message.body(this.#attributes);
          break;
        case 6:
          this.#attributes.attribute(this.#hashed(content, reader), reader.position, said);
          break;
        case 9:
          trace = this.#traceCode(this.#hashed(content, reader), reader.position);
          break;
        case 12: {
          const nameStart = this.#hashed(content, reader);
          message.name(nameStart, reader.position);
          snapshot = SNAPSHOT_EVENTS.has(textOf(this.#body, nameStart, reader.position));
          break;
        }
        default:
          addField(content, reader);
      }
    }
    if (said.tooDeep) return this.#reject(TOO_DEEP);
    if (severity === 0) severity = severityInWords(this.#body, textStart, textEnd, message.start, message.end);
    if (severity > 24) severity = 0;
    let type: number;
    const given = said.eventType ?? this.#scope.eventType;
    if (given !== null && Object.hasOwn(TYPE_CODE, given)) type = TYPE_CODE[given as EventType];
    else if (snapshot) type = TYPE_CODE.state_snapshot;
    else if (said.exception || severity >= SEVERITY_ERROR) type = TYPE_CODE.error;
    else type = TYPE_CODE.log;
    if (type === TYPE_CODE.error && severity === 0) severity = SEVERITY_ERROR;
    message.finish(said);
    if (!ordered) this.#messages.hash(start, end);
    const { high, low } = ordered ? content.end() : this.#messages;
    const hash = this.#hash.reset().pair(this.#resourceHigh, this.#resourceLow).pair(this.#scopeHigh, this.#scopeLow);
    hash.pair(high, low).end();
    const at = this.#keep(start, end, said, null);
    if (at < 0) return;
    const { words, floats } = this.#table;
    const timed = (timeLow | timeHigh) !== 0;
    words[at + TIME_LOW] = timed ? timeLow : observedLow;
    words[at + TIME_HIGH] = timed ? timeHigh : observedHigh;
    words[at + HASH_LOW] = hash.low;
    words[at + HASH_HIGH] = hash.high;
    words[at + TRACE] = trace;
    words[at + KIND] = type | (severity << 8) | message.named;
    words[at + MESSAGE_START] = message.start;
    words[at + MESSAGE_END] = message.end;
    floats[at + DURATION] = -1;
    this.index.accepted++;
  }

  #span(start: number, end: number): void {
    const said = this.#record;
    const reader = this.#items.over(start, end);
    said.clear();
    said.pairs = this.#table.pairs.begin();
    let traceStart = 0;
    let traceEnd = 0;
    let spanStart = 0;
    let spanEnd = 0;
    let nameStart = 0;
    let nameEnd = 0;
    let kind = 0;
    let startLow = 0;
    let startHigh = 0;
    let endLow = 0;
    let endHigh = 0;
    this.#eventWords = 0;
    let failed = false;
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          traceStart = reader.range();
          traceEnd = reader.position;
          break;
        case 2:
          spanStart = reader.range();
          spanEnd = reader.position;
          break;
        case 5:
          nameStart = reader.range();
          nameEnd = reader.position;
          break;
        case 6:
          kind = reader.number();
          break;
        case 7:
          reader.fixedPair();
          startLow = reader.low;
          startHigh = reader.high;
          break;
        case 8:
          reader.fixedPair();
          endLow = reader.low;
          endHigh = reader.high;
          break;
        case 9:
          this.#attributes.attribute(reader.range(), reader.position, said);
          break;
        case 11:
          this.#events[this.#eventWords++] = reader.range();
          this.#events[this.#eventWords++] = reader.position;
          break;
        case 15:
          failed = this.#statusFailed(reader.range(), reader.position);
          break;
        default:
          reader.skip();
      }
    }
    if (said.tooDeep) return this.#reject(TOO_DEEP);
    const trace = this.#traceCode(traceStart, traceEnd);
    if (trace === 0) return this.#reject('trace_id must be 16 bytes and not all zero');
    if (!isId(this.#body, spanStart, spanEnd, 8)) return this.#reject('span_id must be 8 bytes and not all zero');
    // A span is known by its ids; client and server may share a span id (Zipkin's habit), so kind and name count too.
    const view = this.#view;
    const hash = this.#hash.reset().range(view, traceStart, traceEnd).range(view, spanStart, spanEnd);
    const { high, low } = hash.number(kind).range(view, nameStart, nameEnd).end();
    const at = this.#keep(start, end, said, null);
    if (at < 0) return;
    const { words, floats } = this.#table;
    words[at + TIME_LOW] = startLow;
    words[at + TIME_HIGH] = startHigh;
    words[at + HASH_LOW] = low;
    words[at + HASH_HIGH] = high;
    words[at + TRACE] = trace;
    words[at + KIND] = TYPE_CODE.span | ((failed ? SEVERITY_ERROR : SEVERITY_INFO) << 8) | NAMED;
    words[at + MESSAGE_START] = nameStart;
    words[at + MESSAGE_END] = nameEnd;
    const nanos = (endHigh - startHigh) * 2 ** 32 + (endLow - startLow);
    floats[at + DURATION] = nanos > 0 ? nanos / 1e6 : 0;
    this.index.accepted++;
    if (this.#eventWords > 0) this.#exceptionEvents(start, end, trace, high, low);
  }

  /** Span events that tell of an exception are events of their own; the others stay with their span. */
  #exceptionEvents(spanStart: number, spanEnd: number, trace: number, spanHigh: number, spanLow: number): void {
    const said = this.#part;
    const events = this.#events;
    for (let i = 0; i < this.#eventWords; i += 2) {
      const start = events[i]!;
      const end = events[i + 1]!;
      const ordinal = i / 2 + 1;
      const fields = this.#fields.over(start, end);
      said.clear();
      let timeLow = 0;
      let timeHigh = 0;
      let named = false;
      while (fields.next()) {
        if (fields.field === 1) {
          fields.fixedPair();
          timeLow = fields.low;
          timeHigh = fields.high;
        } else if (fields.field === 2) named = isText(this.#body, fields.range(), fields.position, EXCEPTION);
        else if (fields.field === 3) this.#attributes.attribute(fields.range(), fields.position, said);
        else fields.skip();
      }
      if (!(named || said.exception) || said.tooDeep) continue;
      this.#messages.hash(start, end);
      const hash = this.#hash.reset().pair(spanHigh, spanLow).number(ordinal);
      hash.pair(this.#messages.high, this.#messages.low).end();
      const at = this.#keep(spanStart, spanEnd, said, this.#record);
      if (at < 0) return;
      const { words, floats } = this.#table;
      words[at + TIME_LOW] = timeLow;
      words[at + TIME_HIGH] = timeHigh;
      words[at + HASH_LOW] = hash.low;
      words[at + HASH_HIGH] = hash.high;
      words[at + PART] = ordinal;
      words[at + TRACE] = trace;
      words[at + KIND] = TYPE_CODE.error | (SEVERITY_ERROR << 8);
      // Without a message it is the exception's type, or the event's name.
      const told = said.exceptionMessageEnd > said.exceptionMessageStart;
      words[at + MESSAGE_START] = told ? said.exceptionMessageStart : 1;
      words[at + MESSAGE_END] = told ? said.exceptionMessageEnd : 0;
      floats[at + DURATION] = -1;
    }
  }

  /** Metric.data is one of five, each with its points in field 1; only where a point's attributes stand differs. */
  #metric(start: number, end: number): void {
    const reader = this.#items.over(start, end);
    let nameStart = 0;
    let nameEnd = 0;
    let unitStart = 0;
    let unitEnd = 0;
    this.#record.pairs = this.#table.pairs.begin();
    while (reader.next()) {
      if (reader.field === 1) {
        nameStart = reader.range();
        nameEnd = reader.position;
      } else if (reader.field === 3) {
        unitStart = reader.range();
        unitEnd = reader.position;
      } else reader.skip();
    }
    const hash = this.#hash.reset().pair(this.#resourceHigh, this.#resourceLow).pair(this.#scopeHigh, this.#scopeLow);
    const { high, low } = hash.range(this.#view, nameStart, nameEnd).range(this.#view, unitStart, unitEnd).end();
    let ordinal = 0;
    reader.over(start, end);
    while (reader.next()) {
      const attributesField = POINT_ATTRIBUTES[reader.field];
      if (attributesField === undefined) {
        reader.skip();
        continue;
      }
      const kind = reader.field;
      const points = this.#fields.over(reader.range(), reader.position);
      while (points.next()) {
        if (points.field === 1) {
          const at = this.#point(points.range(), points.position, attributesField, start, end);
          ordinal++;
          if (at < 0) continue;
          const { words } = this.#table;
          hash.reset().pair(high, low).number(kind).pair(this.#messages.high, this.#messages.low).end();
          words[at + HASH_LOW] = hash.low;
          words[at + HASH_HIGH] = hash.high;
          words[at + PART] = ordinal;
          words[at + MESSAGE_START] = nameStart;
          words[at + MESSAGE_END] = nameEnd;
        } else points.skip();
      }
    }
  }

  /** @returns the point's row, whose hash and part the caller knows; -1 when it is rejected */
  #point(start: number, end: number, attributesField: number, metricStart: number, metricEnd: number): number {
    const said = this.#record;
    const reader = this.#parts.over(start, end);
    said.clear();
    let timeLow = 0;
    let timeHigh = 0;
    while (reader.next()) {
      if (reader.field === 3) {
        reader.fixedPair();
        timeLow = reader.low;
        timeHigh = reader.high;
      } else if (reader.field === attributesField) this.#attributes.attribute(reader.range(), reader.position, said);
      else reader.skip();
    }
    if (said.tooDeep) {
      this.#reject(TOO_DEEP);
      return -1;
    }
    this.#messages.hash(start, end);
    const at = this.#keep(metricStart, metricEnd, said, null);
    if (at < 0) return -1;
    const { words, floats } = this.#table;
    words[at + TIME_LOW] = timeLow;
    words[at + TIME_HIGH] = timeHigh;
    words[at + KIND] = TYPE_CODE.metric! | NAMED;
    floats[at + DURATION] = -1;
    this.index.accepted++;
    return at;
  }

  /**
   * Adds a row with what all records have alike.
   * @param owner what the span around an event says: it stands behind what the event says
   * @returns where the row begins; -1, and the record is rejected, when the request brings too many
   */
  #keep(start: number, end: number, said: Said, owner: Said | null): number {
    const table = this.#table;
    if (table.length >= REQUEST_RECORDS_MAX) {
      this.#reject(`more than ${REQUEST_RECORDS_MAX} records in one request`);
      return -1;
    }
    const at = table.push();
    const { words } = table;
    words[at + START] = start;
    words[at + END] = end;
    words[at + COMPONENT] =
      said.named || owner?.named === true ? this.#component(said, owner) : this.#envelopeComponent;
    words[at + CORRELATION] =
      said.correlation || owner?.correlation || this.#scope.correlation || this.#resource.correlation;
    words[at + OPERATION] = said.operation || owner?.operation || this.#scope.operation || this.#resource.operation;
    words[at + PAIRS] = (owner ?? said).pairs;
    words[at + ENVELOPE] = table.envelopes.length - 1;
    return at;
  }

  #component(said: Said, owner: Said | null): number {
    return this.#components.find(
      owner === null ? [said, this.#scope, this.#resource] : [said, owner, this.#scope, this.#resource],
    );
  }

  #reject(reason: string): void {
    this.index.rejected++;
    if (this.index.rejectedReason === '') this.index.rejectedReason = reason;
  }

  #statusFailed(start: number, end: number): boolean {
    const reader = this.#fields.over(start, end);
    let failed = false;
    while (reader.next()) {
      if (reader.field === 3) failed = reader.number() === 2;
      else reader.skip();
    }
    return failed;
  }

  /** 0 for what is no trace id. */
  #traceCode(start: number, end: number): number {
    return isId(this.#body, start, end, 16) ? this.#traces.code(start, end) : 0;
  }

  /** Steps over a field with a length and feeds it. @returns where it begins */
  #hashed(content: ContentHash, reader: Cursor): number {
    const start = reader.range();
    const { position } = reader;
    if (position > start) content.field(reader.field, this.#view, start, position);
    return start;
  }
}

const TOO_DEEP = `a value nested deeper than ${DEPTH_MAX}`;

/** Where a data point keeps its attributes, by the field of Metric that holds the points. */
const POINT_ATTRIBUTES: Record<number, number | undefined> = { 5: 7, 7: 7, 9: 9, 10: 1, 11: 7 };

const EXCEPTION = new TextEncoder().encode('exception');
