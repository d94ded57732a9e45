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
import { DEFAULT_KEYS, type KeySettings, KeyTable } from './keys.ts';
import { DEPTH_MAX, FIXED32, FIXED64, hexOf, LENGTH, malformed, textOf, VARINT, WireReader } from './wire.ts';

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

/** What the attributes of one record, scope or resource say. */
class Said {
  correlation: string | null = null;
  correlationRank = Infinity;
  operation: string | null = null;
  operationRank = Infinity;
  componentType: string | null = null;
  componentId: string | null = null;
  agentId: string | null = null;
  agentName: string | null = null;
  workflowId: string | null = null;
  genAiOperation: string | null = null;
  serviceName: string | null = null;
  sdkLanguage: string | null = null;
  instanceId: string | null = null;
  podName: string | null = null;
  hostName: string | null = null;
  eventType: string | null = null;
  browser = false;
  exception = false;
  exceptionMessageStart = 0;
  exceptionMessageEnd = 0;
  /** Whether any key said anything: most records say nothing, and their component is the envelope's. */
  any = false;
  /** A value nested deeper than DEPTH_MAX. */
  tooDeep = false;

  clear(): void {
    if (this.any) {
      this.correlation = this.operation = this.componentType = this.componentId = this.agentId = this.agentName = null;
      this.workflowId =
        this.genAiOperation =
        this.serviceName =
        this.sdkLanguage =
        this.instanceId =
        this.podName =
          null;
      this.hostName = this.eventType = null;
      this.correlationRank = this.operationRank = Infinity;
      this.browser = this.exception = this.any = false;
      this.exceptionMessageStart = this.exceptionMessageEnd = 0;
    }
    this.tooDeep = false;
  }
}

class RequestWalk {
  readonly #keys: KeyTable;
  readonly #signal: Signal;
  readonly #body: Uint8Array;
  readonly #index: RequestIndex = { records: [], accepted: 0, rejected: 0, rejectedReason: '' };
  // One reader for each depth of the walk: ranges are nested, so no reader is used twice at once.
  readonly #envelopes: WireReader;
  readonly #scopes: WireReader;
  readonly #items: WireReader;
  readonly #fields: WireReader;
  readonly #parts: WireReader;
  readonly #attributes: WireReader;
  readonly #values: WireReader;
  readonly #hash = new ContentHash();
  readonly #resource = new Said();
  readonly #scope = new Said();
  readonly #record = new Said();
  readonly #part = new Said();
  readonly #components = new Map<string, ComponentRef>();
  #lastTrace = '';
  #envelope!: SourceEnvelope;
  #envelopeComponent!: ComponentRef;
  #resourceHash = 0n;
  #scopeHash = 0n;

  constructor(keys: KeyTable, signal: Signal, body: Uint8Array) {
    this.#keys = keys;
    this.#signal = signal;
    this.#body = body;
    const reader = () => new WireReader(body);
    this.#envelopes = reader();
    this.#scopes = reader();
    this.#items = reader();
    this.#fields = reader();
    this.#parts = reader();
    this.#attributes = reader();
    this.#values = reader();
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
    const reader = this.#envelopes;
    let resourceStart = 0;
    let resourceEnd = 0;
    let schemaUrl = '';
    // The resource and its schema may stand behind the scopes: first everything but the scopes, then the scopes.
    reader.over(start, end);
    while (reader.next()) {
      if (reader.field === 1) {
        resourceStart = reader.range();
        resourceEnd = reader.position;
      } else if (reader.field === 3) schemaUrl = this.#text(reader);
      else reader.skip();
    }
    this.#resource.clear();
    this.#scanMessage(resourceStart, resourceEnd, 1, this.#resource);
    this.#resourceHash = this.#messageHash(resourceStart, resourceEnd);
    reader.over(start, end);
    while (reader.next()) {
      if (reader.field === 2) this.#scopeItems(reader.range(), reader.position, resourceStart, resourceEnd, schemaUrl);
      else reader.skip();
    }
  }

  #scopeItems(start: number, end: number, resourceStart: number, resourceEnd: number, resourceSchemaUrl: string): void {
    const reader = this.#scopes;
    let scopeStart = 0;
    let scopeEnd = 0;
    let scopeSchemaUrl = '';
    reader.over(start, end);
    while (reader.next()) {
      if (reader.field === 1) {
        scopeStart = reader.range();
        scopeEnd = reader.position;
      } else if (reader.field === 3) scopeSchemaUrl = this.#text(reader);
      else reader.skip();
    }
    const { instanceId, podName, hostName } = this.#resource;
    this.#envelope = {
      resourceStart,
      resourceEnd,
      resourceSchemaUrl,
      scopeStart,
      scopeEnd,
      scopeSchemaUrl,
      nodeId: instanceId ?? podName ?? hostName,
    };
    this.#scope.clear();
    this.#scanMessage(scopeStart, scopeEnd, 3, this.#scope);
    this.#scopeHash = this.#messageHash(scopeStart, scopeEnd);
    this.#record.clear();
    this.#part.clear();
    this.#envelopeComponent = this.#componentOf();
    reader.over(start, end);
    while (reader.next()) {
      if (reader.field !== 2) reader.skip();
      else if (this.#signal === 'span') this.#span(reader.range(), reader.position);
      else if (this.#signal === 'log') this.#log(reader.range(), reader.position);
      else this.#metric(reader.range(), reader.position);
    }
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
          message = this.#body5(reader.range(), reader.position, said);
          break;
        case 6:
          this.#scanAttribute(reader.range(), reader.position, said);
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
    const hash = this.#messageHash(start, end);
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
          this.#scanAttribute(reader.range(), reader.position, said);
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
        else if (fields.field === 3) this.#scanAttribute(fields.range(), fields.position, said);
        else fields.skip();
      }
      if (!(named || said.exception) || said.tooDeep) continue;
      const hash = this.#messageHash(start, end);
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
      else if (reader.field === attributesField) this.#scanAttribute(reader.range(), reader.position, said);
      else reader.skip();
    }
    if (said.tooDeep) return this.#reject(`a value nested deeper than ${DEPTH_MAX}`);
    const hash = this.#messageHash(start, end);
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
    this.#index.records.push({
      time: found.time,
      hash: found.hash,
      type: found.type,
      signal: SIGNAL_CODE[this.#signal],
      severity: found.severity,
      part: found.part,
      component: plain ? this.#envelopeComponent : this.#componentOf(said, owner),
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

  /** Explicit, else an agent, a browser, a workflow, else the service (CONTRACT section 3). */
  #componentOf(...first: (Said | null)[]): ComponentRef {
    const levels = [...first, this.#scope, this.#resource].filter((said) => said !== null);
    const say = <K extends keyof Said>(key: K) => levels.find((said) => said[key] !== null)?.[key] ?? null;
    const service = say('serviceName') ?? 'unknown_service';
    const type = say('componentType');
    const id = say('componentId');
    if (type !== null || id !== null) return this.#component(type ?? 'service', id ?? service);
    const agent = say('agentId') ?? say('agentName');
    if (agent !== null) return this.#component('agent', agent);
    if (levels.some((said) => said.browser) || say('sdkLanguage') === 'webjs')
      return this.#component('browser', service);
    const workflow = say('workflowId');
    if (workflow !== null) return this.#component('workflow', workflow);
    if (say('genAiOperation') === 'invoke_workflow') return this.#component('workflow', service);
    return this.#component('service', service);
  }

  #component(type: string, id: string): ComponentRef {
    const key = `${type.length} ${type}${id}`; // senders choose both halves: no separator would tell them apart
    let component = this.#components.get(key);
    if (component === undefined) {
      component = { type, id };
      this.#components.set(key, component);
    }
    return component;
  }

  #reject(reason: string): void {
    this.#index.rejected++;
    if (this.#index.rejectedReason === '') this.#index.rejectedReason = reason;
  }

  /** Scans the attributes of a resource (field 1) or a scope (field 3). */
  #scanMessage(start: number, end: number, attributesField: number, said: Said): void {
    const reader = this.#items.over(start, end);
    while (reader.next()) {
      if (reader.field === attributesField) this.#scanAttribute(reader.range(), reader.position, said);
      else reader.skip();
    }
    if (said.tooDeep) throw malformed(`a resource or scope with a value nested deeper than ${DEPTH_MAX}`, start);
  }

  /** One KeyValue. Its value is checked whole, so that whatever passes the walk can be decoded later. */
  #scanAttribute(start: number, end: number, said: Said): void {
    const reader = this.#attributes.over(start, end);
    let keyStart = 0;
    let keyEnd = 0;
    let valueStart = 0;
    let valueEnd = -1;
    while (reader.next()) {
      if (reader.field === 1) {
        keyStart = reader.range();
        keyEnd = reader.position;
      } else if (reader.field === 2) {
        valueStart = reader.range();
        valueEnd = reader.position;
      } else reader.skip();
    }
    if (valueEnd < 0) return;
    const value = this.#values.over(valueStart, valueEnd);
    let textStart = 0;
    let textEnd = -1;
    let number: bigint | null = null;
    while (value.next()) {
      if (value.field === 1) {
        textStart = value.range();
        textEnd = value.position;
      } else if (value.field === 3 && value.wireType === VARINT) number = varint64(value);
      else if (value.field === 5 || value.field === 6) {
        if (!valueDepthFits(this.#body, value.range(), value.position, value.field, 1)) said.tooDeep = true;
      } else value.skip();
    }
    const key = this.#keys.find(this.#body, keyStart, keyEnd);
    if (key === undefined) return;
    said.any = true;
    switch (key.role) {
      case 'browser':
        said.browser = true;
        return;
      case 'exceptionMessage':
        said.exceptionMessageStart = textStart;
        said.exceptionMessageEnd = Math.max(textEnd, 0);
        said.exception = true;
        return;
      case 'exception':
        said.exception = true;
        return;
    }
    const text = textEnd >= 0 ? textOf(this.#body, textStart, textEnd) : number !== null ? String(number) : '';
    if (text === '') return;
    if (key.role === 'correlation') {
      if (key.rank < said.correlationRank) {
        said.correlation = text;
        said.correlationRank = key.rank;
      }
    } else if (key.role === 'operation') {
      if (key.rank < said.operationRank) {
        said.operation = text;
        said.operationRank = key.rank;
      }
    } else said[key.role] = text;
  }

  /** A log record's body: the range of its text when it is a plain string, else nothing. */
  #body5(start: number, end: number, said: Said): { start: number; end: number } {
    const value = this.#values.over(start, end);
    let text = EMPTY_RANGE;
    while (value.next()) {
      if (value.field === 1) text = { start: value.range(), end: value.position };
      else if (value.field === 5 || value.field === 6) {
        if (!valueDepthFits(this.#body, value.range(), value.position, value.field, 1)) said.tooDeep = true;
      } else value.skip();
    }
    return text;
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

  /**
   * A hash of a message that does not depend on how it was written: fields in ascending order whatever their order on the
   * wire, defaults left out whether sent or not. So JSON and protobuf, and every SDK's encoder, agree.
   */
  #messageHash(start: number, end: number): bigint {
    const reader = this.#values.over(start, end);
    const hash = this.#hash.reset();
    let last = 0;
    while (reader.next()) {
      if (reader.field < last) return this.#unorderedHash(start, end);
      last = reader.field;
      hashField(hash, reader);
    }
    return hash.digest();
  }

  #unorderedHash(start: number, end: number): bigint {
    const reader = this.#values.over(start, end);
    const fields: { field: number; at: number; order: number }[] = [];
    for (let at = start; reader.next(); at = reader.position) {
      fields.push({ field: reader.field, at, order: fields.length });
      reader.skip();
    }
    fields.sort((a, b) => a.field - b.field || a.order - b.order);
    const hash = this.#hash.reset();
    for (const { at } of fields) {
      reader.over(at, end).next();
      hashField(hash, reader);
    }
    return hash.digest();
  }
}

/** Where a data point keeps its attributes, by the field of Metric that holds the points. */
const POINT_ATTRIBUTES: Record<number, number | undefined> = { 5: 7, 7: 7, 9: 9, 10: 1, 11: 7 };

function hashField(hash: ContentHash, reader: WireReader): void {
  const { field, wireType } = reader;
  if (wireType === LENGTH) {
    const start = reader.range();
    if (reader.position > start)
      hash
        .number(field)
        .number(reader.position - start)
        .bytes(reader.bytes, start, reader.position);
  } else if (wireType === VARINT) {
    const value = varint64(reader);
    if (value !== 0n) hash.number(field).bigint(value);
  } else if (wireType === FIXED64) {
    const value = reader.fixed64();
    if (value !== 0n) hash.number(field).bigint(value);
  } else if (wireType === FIXED32) {
    const value = reader.fixed32();
    if (value !== 0) hash.number(field).number(value);
  } else reader.skip();
}

/** Reads a varint whole, as a signed 64-bit integer. */
function varint64(reader: WireReader): bigint {
  const start = reader.position;
  const low = reader.varint();
  if (reader.position - start <= 4) return BigInt(low);
  let value = 0n;
  for (let i = start, shift = 0n; i < reader.position; i++, shift += 7n)
    value |= BigInt(reader.bytes[i]! & 0x7f) << shift;
  return BigInt.asIntN(64, value);
}

function validId(bytes: Uint8Array, start: number, end: number, length: number): boolean {
  if (end - start !== length) return false;
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return true;
  return false;
}

/** Whether an ArrayValue (field 5) or KeyValueList (field 6) nests at most DEPTH_MAX deep. Throws where it is malformed. */
function valueDepthFits(bytes: Uint8Array, start: number, end: number, field: number, depth: number): boolean {
  if (depth > DEPTH_MAX) return false;
  const list = new WireReader(bytes, start, end);
  const item = new WireReader(bytes, start, end);
  const value = new WireReader(bytes, start, end);
  while (list.next()) {
    if (list.field !== 1) {
      list.skip();
      continue;
    }
    item.over(list.range(), list.position);
    if (field === 5) {
      if (!anyValueFits(value, item.position, item.end, depth)) return false;
      continue;
    }
    while (item.next()) {
      if (item.field !== 2) item.skip();
      else if (!anyValueFits(value, item.range(), item.position, depth)) return false;
    }
  }
  return true;
}

function anyValueFits(value: WireReader, start: number, end: number, depth: number): boolean {
  value.over(start, end);
  while (value.next()) {
    if (value.field !== 5 && value.field !== 6) value.skip();
    else if (!valueDepthFits(value.bytes, value.range(), value.position, value.field, depth + 1)) return false;
  }
  return true;
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
