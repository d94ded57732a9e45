/**
 * What the attributes of a record, a scope or a resource say about whose it is and what it belongs to: the mapping of CONTRACT
 * section 3, read off the wire without decoding more than the few values that matter.
 */
import { integerPair, keyHash, otherPair, textPair } from '../model/attribute-filter.ts';
import type { ComponentRef } from '../model/block.ts';
import { NO_PAIRS, type PairLists } from '../model/pair-lists.ts';
import { Cursor } from './cursor.ts';
import { identityOf } from './identity.ts';
import type { KeyRole, KeyTable } from './keys.ts';
import type { RangeDictionary } from './range-dictionary.ts';
import { ATTRIBUTES_MAX } from './read.ts';
import { DEPTH_MAX, malformed, VARINT, WireReader } from './wire.ts';

/** What the attributes of one record, scope or resource say. */
export class Said {
  /** Codes in the request's dictionaries; 0 where nothing is said. */
  correlation = 0;
  correlationRank = RANK_NONE;
  operation = 0;
  operationRank = RANK_NONE;
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
  /** Where it ends before it begins, it was no text: what is answered is made of it, as base64 or as digits. */
  exceptionMessageStart = 0;
  exceptionMessageEnd = 0;
  /** How many attributes were read; those past ATTRIBUTES_MAX are stored and not answered. */
  attributes = 0;
  /** Whether any key said anything. */
  any = false;
  /** Whether any said whose it is: most records do not, and their component is the envelope's. */
  named = false;
  /** A value nested deeper than DEPTH_MAX. */
  tooDeep = false;
  /** Where the list begins that its pairs are in, of the table's. */
  pairs = NO_PAIRS;

  clear(): void {
    if (this.any) {
      this.correlation = this.operation = 0;
      this.correlationRank = this.operationRank = RANK_NONE;
      this.eventType = null;
      this.exception = this.any = false;
      this.exceptionMessageStart = this.exceptionMessageEnd = 0;
    }
    if (this.named) {
      this.componentType = this.componentId = this.agentId = this.agentName = this.workflowId = null;
      this.genAiOperation = this.serviceName = this.sdkLanguage = null;
      this.instanceId = this.podName = this.hostName = null;
      this.browser = this.named = false;
    }
    this.tooDeep = false;
    this.attributes = 0;
  }
}

const RANK_NONE = 0x7fff_ffff;
/** Of AnyValue the fields of which it holds one; those past it are not known. */
const VALUE_FIELD_MAX = 8;
const VARINT_BYTES_MAX = 10;
// 28 bits: status codes, ports and sizes. What is larger is read by a cursor, which takes longer than all the rest of an attribute.
const SHORT_VARINT_BYTES = 4;
// Field numbers and wire types, as one byte.
const TAG_1 = 0x0a;
const TAG_2 = 0x12;
const TAG_2_VARINT = 0x10;
const TAG_3_VARINT = 0x18;

/** Reads attributes, one KeyValue at a time, of one request. */
export class AttributeReader {
  /** Where the text lies that {@link AttributeReader.body} found. */
  textStart = 0;
  textEnd = 0;
  readonly #keys: KeyTable;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #pairs: PairLists;
  readonly #correlations: RangeDictionary;
  readonly #operations: RangeDictionary;
  // Messages hold attributes, those hold values: no cursor is used twice at once.
  readonly #messages: Cursor;
  readonly #attribute: Cursor;
  readonly #value: Cursor;

  constructor(
    keys: KeyTable,
    bytes: Uint8Array,
    view: DataView,
    pairs: PairLists,
    correlations: RangeDictionary,
    operations: RangeDictionary,
  ) {
    this.#keys = keys;
    this.#bytes = bytes;
    this.#view = view;
    this.#pairs = pairs;
    this.#correlations = correlations;
    this.#operations = operations;
    this.#messages = new Cursor(bytes, view);
    this.#attribute = new Cursor(bytes, view);
    this.#value = new Cursor(bytes, view);
  }

  /** Reads all attributes of a resource (field 1) or a scope (field 3). @throws DebugError MALFORMED, also for a value nested too deep */
  message(start: number, end: number, attributesField: number, said: Said): void {
    const reader = this.#messages.over(start, end);
    said.clear();
    said.pairs = this.#pairs.begin();
    while (reader.next()) {
      if (reader.field === attributesField) this.attribute(reader.range(), reader.position, said);
      else reader.skip();
    }
    if (said.tooDeep) throw malformed(`a resource or scope with a value nested deeper than ${DEPTH_MAX}`, start);
  }

  /**
   * One KeyValue, which goes into the list of pairs that was begun last. Its value is checked whole, so that whatever passes the walk can be
   * decoded later.
   */
  attribute(start: number, end: number, said: Said): void {
    said.attributes++;
    // As every exporter writes it, a short key and then a short value of one field: most of a request consists of them, and read at once they
    // take a third of the time that two cursors do.
    const bytes = this.#bytes;
    const keyEnd = start + 2 + bytes[start + 1]!;
    const valueStart = keyEnd + 4;
    const usual =
      valueStart <= end &&
      end - keyEnd < 0x82 &&
      bytes[start] === TAG_1 &&
      bytes[start + 1]! < 0x80 &&
      bytes[keyEnd] === TAG_2 &&
      bytes[keyEnd + 1] === end - keyEnd - 2;
    if (!usual) return this.#attributeInAnyOrder(start, end, said);
    const tag = bytes[keyEnd + 2]!;
    if (tag === TAG_1 && bytes[keyEnd + 3] === end - valueStart) {
      const hash = keyHash(this.#view, start + 2, keyEnd);
      const key = this.#keys.find(hash, bytes, start + 2, keyEnd);
      if (key !== undefined) this.#say(key, said, valueStart, end, -1);
      this.#pairs.add(textPair(hash, this.#view, valueStart, end));
    } else if ((tag === TAG_2_VARINT || tag === TAG_3_VARINT) && this.#isVarint(keyEnd + 3, end)) {
      const hash = keyHash(this.#view, start + 2, keyEnd);
      const key = this.#keys.find(hash, bytes, start + 2, keyEnd);
      if (key !== undefined) this.#say(key, said, 0, -1, tag === TAG_3_VARINT ? keyEnd + 3 : -1);
      this.#pairs.add(tag === TAG_3_VARINT ? this.#integerPair(hash, keyEnd + 3, end) : otherPair(hash));
    } else this.#attributeInAnyOrder(start, end, said);
  }

  /** Whether the range is one varint, of ten bytes at most. */
  #isVarint(start: number, end: number): boolean {
    if (end - start > VARINT_BYTES_MAX) return false;
    let at = start;
    while (at < end && this.#bytes[at]! >= 0x80) at++;
    return at === end - 1;
  }

  /** @param start of the varint that ends at `end` */
  #integerPair(key: number, start: number, end: number): number {
    let low = 0;
    let high = 0;
    if (end - start <= SHORT_VARINT_BYTES) {
      for (let i = start, shift = 0; i < end; i++, shift += 7) low |= (this.#bytes[i]! & 0x7f) << shift;
    } else {
      const value = this.#value.over(start, end);
      value.varintPair();
      low = value.low;
      high = value.high;
    }
    return integerPair(key, low, high);
  }

  #attributeInAnyOrder(start: number, end: number, said: Said): void {
    const reader = this.#attribute.over(start, end);
    let keyStart = 0;
    let keyEnd = 0;
    let valueStart = 0;
    let valueEnd = -1;
    let values = 0;
    while (reader.next()) {
      if (reader.field === 1) {
        keyStart = reader.range();
        keyEnd = reader.position;
      } else if (reader.field === 2) {
        values++;
        valueStart = reader.range();
        valueEnd = reader.position;
      } else reader.skip();
    }
    // A value in two pieces is put together by who decodes it.
    if (values > 1) this.#pairs.known = false;
    const hash = keyHash(this.#view, keyStart, keyEnd);
    const key = this.#keys.find(hash, this.#bytes, keyStart, keyEnd);
    if (valueEnd < 0) {
      this.#pairs.add(otherPair(hash));
      // Of equal keys the last counts, and this one says nothing: then readers take another text for the message.
      if (key?.role === 'exceptionMessage') said.exceptionMessageEnd = 0;
      return;
    }
    const value = this.#value.over(valueStart, valueEnd);
    let textStart = 0;
    let textEnd = -1;
    let numberStart = -1;
    let numberEnd = 0;
    let fields = 0;
    while (value.next()) {
      if (value.field <= VALUE_FIELD_MAX) fields++;
      if (value.field === 1) {
        textStart = value.range();
        textEnd = value.position;
        continue;
      }
      if (value.field <= VALUE_FIELD_MAX) textEnd = -1; // the last of a value's kinds is what it is
      if (value.field === 3 && value.wireType === VARINT) {
        numberStart = value.position;
        value.skip();
        numberEnd = value.position;
      } else if (value.field === 5 || value.field === 6) {
        if (!valueDepthFits(this.#bytes, value.range(), value.position, value.field, 1)) said.tooDeep = true;
      } else value.skip();
    }
    if (fields > 1) this.#pairs.known = false;
    else if (textEnd >= 0) this.#pairs.add(textPair(hash, this.#view, textStart, textEnd));
    else if (numberStart >= 0) this.#pairs.add(this.#integerPair(hash, numberStart, numberEnd));
    else this.#pairs.add(otherPair(hash));
    if (key !== undefined) this.#say(key, said, textStart, textEnd, numberStart);
  }

  /** @param textEnd -1 where the value is no text  @param numberStart of its varint; -1 where it is no integer */
  #say(key: KeyRole, said: Said, textStart: number, textEnd: number, numberStart: number): void {
    said.any = true;
    switch (key.role) {
      case 'correlation':
        if (key.rank >= said.correlationRank) return;
        said.correlation = this.#code(this.#correlations, textStart, textEnd, numberStart) || said.correlation;
        if (said.correlation !== 0) said.correlationRank = key.rank;
        return;
      case 'operation':
        if (key.rank >= said.operationRank) return;
        said.operation = this.#code(this.#operations, textStart, textEnd, numberStart) || said.operation;
        if (said.operation !== 0) said.operationRank = key.rank;
        return;
      case 'exceptionMessage':
        said.exception = true;
        if (said.attributes > ATTRIBUTES_MAX) return;
        said.exceptionMessageStart = textEnd < 0 ? 1 : textStart;
        said.exceptionMessageEnd = textEnd < 0 ? 0 : textEnd;
        return;
      case 'exception':
        said.exception = true;
        return;
      case 'browser':
        said.named = true;
        said.browser = true;
        return;
      default: {
        const text = textEnd >= 0 ? identityOf(this.#bytes, textStart, textEnd) : this.#numberText(numberStart);
        if (text === '') return;
        said.named ||= key.role !== 'eventType';
        said[key.role] = text;
      }
    }
  }

  /** 0 for an empty value and for what is neither text nor integer. */
  #code(dictionary: RangeDictionary, textStart: number, textEnd: number, numberStart: number): number {
    if (textEnd > textStart) return dictionary.code(textStart, textEnd);
    return textEnd < 0 && numberStart >= 0 ? dictionary.add(this.#numberText(numberStart)) : 0;
  }

  #numberText(start: number): string {
    return start < 0 ? '' : String(this.#value.over(start, this.#bytes.length).varint64());
  }

  /**
   * A log record's body. Its text lies from `textStart` to `textEnd` when it is a plain string; else they are equal. Where it says more than
   * one thing the text ends before it begins: it cannot be told here.
   */
  body(start: number, end: number, said: Said): void {
    const value = this.#value.over(start, end);
    this.textStart = this.textEnd = 0;
    let fields = 0;
    let isText = false;
    while (value.next()) {
      if (value.field <= VALUE_FIELD_MAX) fields++;
      if (value.field === 1) {
        isText = true;
        this.textStart = value.range();
        this.textEnd = value.position;
      } else if (value.field === 5 || value.field === 6) {
        if (!valueDepthFits(this.#bytes, value.range(), value.position, value.field, 1)) said.tooDeep = true;
      } else value.skip();
    }
    if (isText && fields > 1) {
      this.textStart = 1;
      this.textEnd = 0;
    }
  }
}

/** Whose a record is: what its levels say (record before scope before resource), each component once. */
export class ComponentFinder {
  /** In the order of their codes. */
  readonly components: ComponentRef[];
  readonly #codes = new Map<string, number>();

  constructor(components: ComponentRef[]) {
    this.components = components;
  }

  /** Explicit, else an agent, a browser, a workflow, else the service. @returns the component's position in `components` */
  find(levels: readonly Said[]): number {
    const service = said(levels, 'serviceName') ?? 'unknown_service';
    const type = said(levels, 'componentType');
    const id = said(levels, 'componentId');
    if (type !== null || id !== null) return this.#code(type ?? 'service', id ?? service);
    const agent = said(levels, 'agentId') ?? said(levels, 'agentName');
    if (agent !== null) return this.#code('agent', agent);
    if (levels.some(({ browser }) => browser) || said(levels, 'sdkLanguage') === 'webjs') {
      return this.#code('browser', service);
    }
    const workflow = said(levels, 'workflowId');
    if (workflow !== null) return this.#code('workflow', workflow);
    if (said(levels, 'genAiOperation') === 'invoke_workflow') return this.#code('workflow', service);
    return this.#code('service', service);
  }

  #code(type: string, id: string): number {
    const key = `${type.length} ${type}${id}`; // senders choose both halves: no separator would tell them apart
    let code = this.#codes.get(key);
    if (code === undefined) {
      code = this.components.push({ type, id }) - 1;
      this.#codes.set(key, code);
    }
    return code;
  }
}

type TextRole =
  | 'componentType'
  | 'componentId'
  | 'agentId'
  | 'agentName'
  | 'workflowId'
  | 'genAiOperation'
  | 'serviceName'
  | 'sdkLanguage';

/** What the nearest level says that says it at all. */
function said(levels: readonly Said[], role: TextRole): string | null {
  for (const level of levels) if (level[role] !== null) return level[role];
  return null;
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
