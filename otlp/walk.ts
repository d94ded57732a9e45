/**
 * The one walk over a request's bytes: finds every record, says what it is, whose it is and which id it has, and refuses what
 * cannot be one. Records stay where they are; only the texts that columns need are decoded.
 *
 * The mapping is CONTRACT section 3: record attribute before scope before resource.
 */

import type { BlockRecord, ComponentRef, Signal, SourceEnvelope } from '../model/block.ts';
import { SIGNALS } from '../model/block.ts';
import { EVENT_TYPES, type EventType, type LEVELS, SEVERITY_ERROR, severityOf } from '../model/event.ts';
import { ContentHash } from '../model/hash.ts';
import { AttributeReader, ComponentFinder, Said } from './attributes.ts';
import { DEFAULT_KEYS, type KeySettings, KeyTable } from './keys.ts';
import { MessageHasher } from './message-hash.ts';
import { DEPTH_MAX, FIXED64, hexOf, malformed, textOf, VARINT, WireReader } from './wire.ts';

/** A record as the walk leaves it: `receivedAt` and `template` are the receiver's to fill. */
export interface IndexedRecord extends BlockRecord {
  /** Where the text lies that a template is mined from; an empty range where the record has none. */
  messageStart: number;
  messageEnd: number;
  /** Of spans, milliseconds; -1 for what has no duration. */
  durationMs: number;
}

export interface RequestIndex {
  records: IndexedRecord[];
  /** Spans, log records or data points that the request holds and we keep. Span exception events are records, but not counted. */
  accepted: number;
  rejected: number;
  /** English, for `partial_success.error_message`; empty when nothing was rejected. */
  rejectedReason: string;
}

/** Walks a protobuf export request. @throws DebugError MALFORMED when the bytes are none */
export type Indexer = (signal: Signal, body: Uint8Array) => RequestIndex;

export function createIndexer(settings: KeySettings): Indexer {
  const keys = new KeyTable(settings);
  return (signal, body) => new RequestWalk(keys, signal, body).run();
}

export const indexRequest: Indexer = createIndexer(DEFAULT_KEYS);

const TYPE_CODE = Object.fromEntries(EVENT_TYPES.map((type, code) => [type, code])) as Record<EventType, number>;
const SIGNAL_CODE = Object.fromEntries(SIGNALS.map((signal, code) => [signal, code])) as Record<Signal, number>;
const SEVERITY_INFO = severityOf('INFO');
const SNAPSHOT_EVENTS = new Set(['debug.state.snapshot', 'entity.state']);
const EMPTY_RANGE = { start: 0, end: 0 };

interface Head {
  start: number;
  end: number;
  schemaUrl: string;
}

class RequestWalk {
  readonly #signal: Signal;
  readonly #body: Uint8Array;
  readonly #index: RequestIndex = { records: [], accepted: 0, rejected: 0, rejectedReason: '' };
  // One reader for each depth of the walk: ranges are nested, so no reader is used twice at once.
  readonly #envelopes: WireReader;
  readonly #scopes: WireReader;
  readonly #items: WireReader;
  readonly #fields: WireReader;
  readonly #parts: WireReader;
  readonly #attributes: AttributeReader;
  readonly #messages: MessageHasher;
  readonly #components = new ComponentFinder();
  readonly #hash = new ContentHash();
  readonly #resource = new Said();
  readonly #scope = new Said();
  readonly #record = new Said();
  readonly #part = new Said();
  #lastTrace = '';
  #envelope!: SourceEnvelope;
  #envelopeComponent!: ComponentRef;
  #resourceHash = 0n;
  #scopeHash = 0n;

  constructor(keys: KeyTable, signal: Signal, body: Uint8Array) {
    this.#signal = signal;
    this.#body = body;
    const reader = () => new WireReader(body);
    this.#envelopes = reader();
    this.#scopes = reader();
    this.#items = reader();
    this.#fields = reader();
    this.#parts = reader();
    this.#attributes = new AttributeReader(keys, body);
    this.#messages = new MessageHasher(body);
  }

  run(): RequestIndex {
    const request = new WireReader(this.#body);
    while (request.next()) {
      if (request.field === 1) this.#resourceItems(request.range(), request.position);
      else request.skip();
    }
    return this.#index;
  }

  /** ResourceSpans, ResourceLogs, ResourceMetrics: alike but for what their scopes hold. */
  #resourceItems(start: number, end: number): void {
    const reader = this.#envelopes.over(start, end);
    const resource = this.#head(reader);
    this.#resource.clear();
    this.#attributes.message(resource.start, resource.end, 1, this.#resource);
    this.#resourceHash = this.#messages.hash(resource.start, resource.end);
    reader.over(start, end);
    while (reader.next()) {
      if (reader.field === 2) this.#scopeItems(reader.range(), reader.position, resource);
      else reader.skip();
    }
  }

  #scopeItems(start: number, end: number, resource: Head): void {
    const reader = this.#scopes.over(start, end);
    const scope = this.#head(reader);
    this.#scope.clear();
    this.#attributes.message(scope.start, scope.end, 3, this.#scope);
    this.#scopeHash = this.#messages.hash(scope.start, scope.end);
    this.#envelopeComponent = this.#components.find([this.#scope, this.#resource]);
    this.#envelope = {
      resourceStart: resource.start,
      resourceEnd: resource.end,
      resourceSchemaUrl: resource.schemaUrl,
      scopeStart: scope.start,
      scopeEnd: scope.end,
      scopeSchemaUrl: scope.schemaUrl,
      nodeId: this.#resource.instanceId ?? this.#resource.podName ?? this.#resource.hostName,
    };
    reader.over(start, end);
    while (reader.next()) {
      if (reader.field !== 2) reader.skip();
      else if (this.#signal === 'span') this.#span(reader.range(), reader.position);
      else if (this.#signal === 'log') this.#log(reader.range(), reader.position);
      else this.#metric(reader.range(), reader.position);
    }
  }

  /** Where the resource or scope lies and which schema it follows: both may stand behind what they are for. */
  #head(reader: WireReader): Head {
    const head = { start: 0, end: 0, schemaUrl: '' };
    while (reader.next()) {
      if (reader.field === 1) {
        head.start = reader.range();
        head.end = reader.position;
      } else if (reader.field === 3) head.schemaUrl = this.#text(reader);
      else reader.skip();
    }
    return head;
  }

  #log(start: number, end: number): void {
    const said = this.#record;
    const reader = this.#items.over(start, end);
    said.clear();
    let time = 0n;
    let observedTime = 0n;
    let severity = 0;
    let severityText = EMPTY_RANGE;
    let message = EMPTY_RANGE;
    let eventName = '';
    let trace: string | null = null;
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          time = this.#time(reader);
          break;
        case 2:
          severity = this.#number(reader);
          break;
        case 3:
          severityText = { start: reader.range(), end: reader.position };
          break;
        case 5:
          message = this.#attributes.body(reader.range(), reader.position, said);
          break;
        case 6:
          this.#attributes.attribute(reader.range(), reader.position, said);
          break;
        case 9:
          trace = this.#traceId(reader.range(), reader.position);
          break;
        case 11:
          observedTime = this.#time(reader);
          break;
        case 12:
          eventName = this.#text(reader);
          break;
        default:
          reader.skip();
      }
    }
    if (said.tooDeep) return this.#reject(`a value nested deeper than ${DEPTH_MAX}`);
    if (severity === 0 && severityText.end > severityText.start) severity = severityOfText(this.#body, severityText);
    if (severity > 24) severity = 0;
    let type: number;
    const given = said.eventType ?? this.#scope.eventType;
    if (given !== null && Object.hasOwn(TYPE_CODE, given)) type = TYPE_CODE[given as EventType];
    else if (SNAPSHOT_EVENTS.has(eventName)) type = TYPE_CODE.state_snapshot;
    else if (said.exception || severity >= SEVERITY_ERROR) type = TYPE_CODE.error;
    else type = TYPE_CODE.log;
    if (type === TYPE_CODE.error && severity === 0) severity = SEVERITY_ERROR;
    if (message.end === message.start && said.exceptionMessageEnd > 0) {
      message = { start: said.exceptionMessageStart, end: said.exceptionMessageEnd };
    }
    const hash = this.#messages.hash(start, end);
    this.#push({
      time: time === 0n ? observedTime : time,
      hash: this.#hash.reset().bigint(this.#resourceHash).bigint(this.#scopeHash).bigint(hash).digest(),
      type,
      severity,
      part: 0,
      trace,
      start,
      end,
      said,
      owner: null,
      messageStart: message.start,
      messageEnd: message.end,
      durationMs: -1,
    });
    this.#index.accepted++;
  }

  #span(start: number, end: number): void {
    const said = this.#record;
    const reader = this.#items.over(start, end);
    said.clear();
    let traceStart = 0;
    let traceEnd = 0;
    let spanStart = 0;
    let spanEnd = 0;
    let nameStart = 0;
    let nameEnd = 0;
    let kind = 0;
    let startTime = 0n;
    let endTime = 0n;
    let events = 0;
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
          kind = this.#number(reader);
          break;
        case 7:
          startTime = this.#time(reader);
          break;
        case 8:
          endTime = this.#time(reader);
          break;
        case 9:
          this.#attributes.attribute(reader.range(), reader.position, said);
          break;
        case 11:
          events++;
          reader.range();
          break;
        case 15:
          failed = this.#statusFailed(reader.range(), reader.position);
          break;
        default:
          reader.skip();
      }
    }
    if (said.tooDeep) return this.#reject(`a value nested deeper than ${DEPTH_MAX}`);
    const trace = this.#traceId(traceStart, traceEnd);
    if (trace === null) return this.#reject('trace_id must be 16 bytes and not all zero');
    if (!validId(this.#body, spanStart, spanEnd, 8)) return this.#reject('span_id must be 8 bytes and not all zero');
    // A span is known by its ids; client and server may share a span id (Zipkin's habit), so kind and name count too.
    this.#hash.reset().bytes(this.#body, traceStart, traceEnd).bytes(this.#body, spanStart, spanEnd).number(kind);
    const hash = this.#hash.bytes(this.#body, nameStart, nameEnd).digest();
    this.#push({
      time: startTime,
      hash,
      type: TYPE_CODE.span,
      severity: failed ? SEVERITY_ERROR : SEVERITY_INFO,
      part: 0,
      trace,
      start,
      end,
      said,
      owner: null,
      messageStart: 0,
      messageEnd: 0,
      durationMs: endTime >= startTime ? Number(endTime - startTime) / 1e6 : 0,
    });
    this.#index.accepted++;
    if (events > 0) this.#exceptionEvents(start, end, trace, hash);
  }

  /** Span events that tell of an exception are events of their own; the others stay with their span. */
  #exceptionEvents(spanStart: number, spanEnd: number, trace: string, spanHash: bigint): void {
    const said = this.#part;
    const reader = this.#items.over(spanStart, spanEnd);
    let ordinal = 0;
    while (reader.next()) {
      if (reader.field !== 11) {
        reader.skip();
        continue;
      }
      ordinal++;
      const start = reader.range();
      const end = reader.position;
      const fields = this.#fields.over(start, end);
      said.clear();
      let time = 0n;
      let named = false;
      while (fields.next()) {
        if (fields.field === 1) time = this.#time(fields);
        else if (fields.field === 2) named = this.#text(fields) === 'exception';
        else if (fields.field === 3) this.#attributes.attribute(fields.range(), fields.position, said);
        else fields.skip();
      }
      if (!(named || said.exception) || said.tooDeep) continue;
      const hash = this.#messages.hash(start, end);
      this.#push({
        time,
        hash: this.#hash.reset().bigint(spanHash).number(ordinal).bigint(hash).digest(),
        type: TYPE_CODE.error,
        severity: SEVERITY_ERROR,
        part: ordinal,
        trace,
        start: spanStart,
        end: spanEnd,
        said,
        owner: this.#record,
        messageStart: said.exceptionMessageStart,
        messageEnd: said.exceptionMessageEnd,
        durationMs: -1,
      });
    }
  }

  /** Metric.data is one of five, each with its points in field 1; only where a point's attributes stand differs. */
  #metric(start: number, end: number): void {
    const reader = this.#items.over(start, end);
    let nameStart = 0;
    let nameEnd = 0;
    let unitStart = 0;
    let unitEnd = 0;
    while (reader.next()) {
      if (reader.field === 1) {
        nameStart = reader.range();
        nameEnd = reader.position;
      } else if (reader.field === 3) {
        unitStart = reader.range();
        unitEnd = reader.position;
      } else reader.skip();
    }
    this.#hash.reset().bigint(this.#resourceHash).bigint(this.#scopeHash);
    const metricHash = this.#hash.bytes(this.#body, nameStart, nameEnd).bytes(this.#body, unitStart, unitEnd).digest();
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
        if (points.field === 1)
          this.#point(points.range(), points.position, ++ordinal, attributesField, metricHash, kind, start, end);
        else points.skip();
      }
    }
  }

  #point(
    start: number,
    end: number,
    ordinal: number,
    attributesField: number,
    metricHash: bigint,
    kind: number,
    metricStart: number,
    metricEnd: number,
  ): void {
    const said = this.#record;
    const reader = this.#parts.over(start, end);
    said.clear();
    let time = 0n;
    while (reader.next()) {
      if (reader.field === 3) time = this.#time(reader);
      else if (reader.field === attributesField) this.#attributes.attribute(reader.range(), reader.position, said);
      else reader.skip();
    }
    if (said.tooDeep) return this.#reject(`a value nested deeper than ${DEPTH_MAX}`);
    const hash = this.#messages.hash(start, end);
    this.#push({
      time,
      hash: this.#hash.reset().bigint(metricHash).number(kind).bigint(hash).digest(),
      type: TYPE_CODE.metric,
      severity: 0,
      part: ordinal,
      trace: null,
      start: metricStart,
      end: metricEnd,
      said,
      owner: null,
      messageStart: 0,
      messageEnd: 0,
      durationMs: -1,
    });
    this.#index.accepted++;
  }

  #push(found: {
    time: bigint;
    hash: bigint;
    type: number;
    severity: number;
    part: number;
    trace: string | null;
    start: number;
    end: number;
    said: Said;
    /** The span around an event: what it says stands behind what the event says. */
    owner: Said | null;
    messageStart: number;
    messageEnd: number;
    durationMs: number;
  }): void {
    const { said, owner } = found;
    const plain = !said.any && (owner === null || !owner.any);
    const levels = owner === null ? [said, this.#scope, this.#resource] : [said, owner, this.#scope, this.#resource];
    this.#index.records.push({
      time: found.time,
      hash: found.hash,
      type: found.type,
      signal: SIGNAL_CODE[this.#signal],
      severity: found.severity,
      part: found.part,
      component: plain ? this.#envelopeComponent : this.#components.find(levels),
      correlation: said.correlation ?? owner?.correlation ?? this.#scope.correlation ?? this.#resource.correlation,
      operation: said.operation ?? owner?.operation ?? this.#scope.operation ?? this.#resource.operation,
      trace: found.trace,
      template: null,
      envelope: this.#envelope,
      body: this.#body,
      start: found.start,
      end: found.end,
      receivedAt: 0n,
      messageStart: found.messageStart,
      messageEnd: found.messageEnd,
      durationMs: found.durationMs,
    });
  }

  #reject(reason: string): void {
    this.#index.rejected++;
    if (this.#index.rejectedReason === '') this.#index.rejectedReason = reason;
  }

  #statusFailed(start: number, end: number): boolean {
    const reader = this.#fields.over(start, end);
    let failed = false;
    while (reader.next()) {
      if (reader.field === 3) failed = this.#number(reader) === 2;
      else reader.skip();
    }
    return failed;
  }

  #traceId(start: number, end: number): string | null {
    if (!validId(this.#body, start, end, 16)) return null;
    const trace = hexOf(this.#body, start, end);
    // Spans of a trace come together: one string for the run.
    if (trace !== this.#lastTrace) this.#lastTrace = trace;
    return this.#lastTrace;
  }

  #text(reader: WireReader): string {
    const start = reader.range();
    return textOf(this.#body, start, reader.position);
  }

  #time(reader: WireReader): bigint {
    if (reader.wireType === FIXED64) return reader.fixed64();
    throw malformed(`field ${reader.field} has wire type ${reader.wireType}, not 1`, reader.position);
  }

  #number(reader: WireReader): number {
    if (reader.wireType === VARINT) return reader.varint();
    throw malformed(`field ${reader.field} has wire type ${reader.wireType}, not 0`, reader.position);
  }
}

/** Where a data point keeps its attributes, by the field of Metric that holds the points. */
const POINT_ATTRIBUTES: Record<number, number | undefined> = { 5: 7, 7: 7, 9: 9, 10: 1, 11: 7 };

function validId(bytes: Uint8Array, start: number, end: number, length: number): boolean {
  if (end - start !== length) return false;
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return true;
  return false;
}

const LEVEL_OF_TEXT: Record<string, (typeof LEVELS)[number]> = {
  TRACE: 'TRACE',
  DEBUG: 'DEBUG',
  INFO: 'INFO',
  INFORMATION: 'INFO',
  NOTICE: 'INFO',
  WARN: 'WARNING',
  WARNING: 'WARNING',
  ERROR: 'ERROR',
  ERR: 'ERROR',
  FATAL: 'CRITICAL',
  CRITICAL: 'CRITICAL',
  ALERT: 'CRITICAL',
  EMERGENCY: 'CRITICAL',
};

/** Loggers that send only the text of a severity still have a level. */
function severityOfText(bytes: Uint8Array, range: { start: number; end: number }): number {
  const level = LEVEL_OF_TEXT[textOf(bytes, range.start, range.end).trim().toUpperCase()];
  return level === undefined ? 0 : severityOf(level);
}
