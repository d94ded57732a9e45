/**
 * What the attributes of a record, a scope or a resource say about whose it is and what it belongs to: the mapping of CONTRACT
 * section 3, read off the wire without decoding more than the few values that matter.
 */
import type { ComponentRef } from '../model/block.ts';
import type { KeyTable } from './keys.ts';
import { DEPTH_MAX, malformed, textOf, VARINT, WireReader } from './wire.ts';

/** What the attributes of one record, scope or resource say. */
export class Said {
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

/** Reads attributes, one KeyValue at a time, of one request. */
export class AttributeReader {
  readonly #keys: KeyTable;
  readonly #bytes: Uint8Array;
  // Messages hold attributes, those hold values: no reader is used twice at once.
  readonly #messages: WireReader;
  readonly #attribute: WireReader;
  readonly #value: WireReader;

  constructor(keys: KeyTable, bytes: Uint8Array) {
    this.#keys = keys;
    this.#bytes = bytes;
    this.#messages = new WireReader(bytes);
    this.#attribute = new WireReader(bytes);
    this.#value = new WireReader(bytes);
  }

  /** All attributes of a resource (field 1) or a scope (field 3). @throws DebugError MALFORMED, also for a value nested too deep */
  message(start: number, end: number, attributesField: number, said: Said): void {
    const reader = this.#messages.over(start, end);
    while (reader.next()) {
      if (reader.field === attributesField) this.attribute(reader.range(), reader.position, said);
      else reader.skip();
    }
    if (said.tooDeep) throw malformed(`a resource or scope with a value nested deeper than ${DEPTH_MAX}`, start);
  }

  /** One KeyValue. Its value is checked whole, so that whatever passes the walk can be decoded later. */
  attribute(start: number, end: number, said: Said): void {
    const reader = this.#attribute.over(start, end);
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
    const value = this.#value.over(valueStart, valueEnd);
    let textStart = 0;
    let textEnd = -1;
    let number: bigint | null = null;
    while (value.next()) {
      if (value.field === 1) {
        textStart = value.range();
        textEnd = value.position;
      } else if (value.field === 3 && value.wireType === VARINT) number = value.varint64();
      else if (value.field === 5 || value.field === 6) {
        if (!valueDepthFits(this.#bytes, value.range(), value.position, value.field, 1)) said.tooDeep = true;
      } else value.skip();
    }
    const key = this.#keys.find(this.#bytes, keyStart, keyEnd);
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
    const text = textEnd >= 0 ? textOf(this.#bytes, textStart, textEnd) : number !== null ? String(number) : '';
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
  body(start: number, end: number, said: Said): { start: number; end: number } {
    const value = this.#value.over(start, end);
    let text = NOTHING;
    while (value.next()) {
      if (value.field === 1) text = { start: value.range(), end: value.position };
      else if (value.field === 5 || value.field === 6) {
        if (!valueDepthFits(this.#bytes, value.range(), value.position, value.field, 1)) said.tooDeep = true;
      } else value.skip();
    }
    return text;
  }
}

/** Whose a record is: what its levels say (record before scope before resource), each component once. */
export class ComponentFinder {
  readonly #known = new Map<string, ComponentRef>();

  /** Explicit, else an agent, a browser, a workflow, else the service. */
  find(levels: readonly Said[]): ComponentRef {
    const say = <K extends keyof Said>(key: K) => levels.find((said) => said[key] !== null)?.[key] ?? null;
    const service = say('serviceName') ?? 'unknown_service';
    const type = say('componentType');
    const id = say('componentId');
    if (type !== null || id !== null) return this.#once(type ?? 'service', id ?? service);
    const agent = say('agentId') ?? say('agentName');
    if (agent !== null) return this.#once('agent', agent);
    if (levels.some((said) => said.browser) || say('sdkLanguage') === 'webjs') return this.#once('browser', service);
    const workflow = say('workflowId');
    if (workflow !== null) return this.#once('workflow', workflow);
    if (say('genAiOperation') === 'invoke_workflow') return this.#once('workflow', service);
    return this.#once('service', service);
  }

  #once(type: string, id: string): ComponentRef {
    const key = `${type.length} ${type}${id}`; // senders choose both halves: no separator would tell them apart
    let component = this.#known.get(key);
    if (component === undefined) {
      component = { type, id };
      this.#known.set(key, component);
    }
    return component;
  }
}

const NOTHING = { start: 0, end: 0 };

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
