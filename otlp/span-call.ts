/**
 * What a span says about calls, read from its bytes: its own id and its parent's, its kind, and whom it names as called. Fields that come
 * in ascending order, as nearly every exporter writes them, are read no further than they are needed.
 */
import { PEER_HOST_KEYS, PEER_NAME_KEYS, PEER_PORT_KEYS, TOOL_SPAN_PREFIX } from '../model/peer.ts';
import { Cursor } from './cursor.ts';
import { identityOf } from './identity.ts';
import { RangeDictionary } from './range-dictionary.ts';
import { VARINT } from './wire.ts';

const KIND_INTERNAL = 1;
export const KIND_SERVER = 2;
export const KIND_CLIENT = 3;
export const KIND_PRODUCER = 4;
export const KIND_CONSUMER = 5;

/** Reads one span after the other of one request, which the walk has let pass. */
export class SpanCall {
  /** Halves of the span id, and of its parent's; both 0 for a span without one. */
  idLow = 0;
  idHigh = 0;
  parentLow = 0;
  parentHigh = 0;
  /** Of the trace, 32 bits. */
  trace = 0;
  kind = 0;
  /** Whom a client, a producer or an agent's tool call names: a position + 1 in `peers`; 0 for nobody. */
  peer = 0;
  /** `host:port`, or a name; not always distinct. */
  readonly peers: string[] = [];
  readonly #bytes: Uint8Array;
  readonly #span: Cursor;
  readonly #attribute: Cursor;
  readonly #value: Cursor;
  readonly #texts: RangeDictionary;
  /** By the text's code and the port. */
  readonly #codes = new Map<number, number>();
  readonly #found = { host: new Found(), port: new Found(), name: new Found() };

  constructor(body: Uint8Array) {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    this.#bytes = body;
    this.#span = new Cursor(body, view);
    this.#attribute = new Cursor(body, view);
    this.#value = new Cursor(body, view);
    this.#texts = new RangeDictionary(body, identityOf);
  }

  read(start: number, end: number): void {
    this.idLow = this.idHigh = this.parentLow = this.parentHigh = this.trace = this.kind = this.peer = 0;
    const reader = this.#span.over(this.#readIds(start, end), end);
    const { view } = reader;
    let attributes = -1;
    let isTool = false;
    while (reader.next()) {
      const { field } = reader;
      if (field === 1) {
        const at = reader.range();
        // Both ends: some tracers count up in the last bytes and leave the first ones 0.
        this.trace = view.getUint32(at + 12, true) ^ view.getUint32(at, true);
      } else if (field === 2) {
        const at = reader.range();
        this.idLow = view.getUint32(at, true);
        this.idHigh = view.getUint32(at + 4, true);
      } else if (field === 4) {
        const at = reader.range();
        if (reader.position - at !== 8) continue;
        this.parentLow = view.getUint32(at, true);
        this.parentHigh = view.getUint32(at + 4, true);
      } else if (field === 5) {
        const at = reader.range();
        isTool = reader.position - at > TOOL_PREFIX.length && isAt(this.#bytes, at, TOOL_PREFIX);
      } else if (field === 6) this.kind = reader.number();
      else if (field === 9) {
        if (attributes < 0) attributes = reader.position - 1;
        // All is known that the fields before the attributes say.
        if (this.kind !== 0 && (this.parentLow | this.parentHigh) !== 0) break;
        reader.range();
      } else reader.skip();
    }
    const { kind } = this;
    if (attributes >= 0 && (kind === KIND_CLIENT || kind === KIND_PRODUCER || (isTool && kind === KIND_INTERNAL)))
      this.#readPeer(attributes, end);
  }

  /** The ids where nearly every exporter writes them, first and in this order. @returns where the fields begin that are left to read */
  #readIds(start: number, end: number): number {
    const bytes = this.#bytes;
    const { view } = this.#span;
    if (end - start < IDS_BYTES || bytes[start] !== 0x0a || bytes[start + 1] !== 16) return start;
    this.trace = view.getUint32(start + 14, true) ^ view.getUint32(start + 2, true);
    const own = start + 18;
    if (bytes[own] !== 0x12 || bytes[own + 1] !== 8) return own;
    this.idLow = view.getUint32(own + 2, true);
    this.idHigh = view.getUint32(own + 6, true);
    const parent = own + 10;
    if (bytes[parent] !== 0x22 || bytes[parent + 1] !== 8) return parent;
    this.parentLow = view.getUint32(parent + 2, true);
    this.parentHigh = view.getUint32(parent + 6, true);
    return parent + 10;
  }

  #readPeer(start: number, end: number): void {
    const reader = this.#span.over(start, end);
    const { host, port, name } = this.#found;
    host.clear();
    port.clear();
    name.clear();
    while (reader.next()) {
      if (reader.field !== 9) reader.skip();
      else {
        this.#attributeAt(reader.range(), reader.position);
        if (host.isBest && port.isBest) break;
      }
    }
    const said = host.isKnown ? host : name;
    if (!said.isKnown) return;
    const text = this.#texts.code(said.start, said.end);
    this.peer = this.#codeOf(text, said === host && port.isKnown ? this.#portOf(port) : 0);
  }

  /** Where the value of a key that is looked for lies, should the attribute have one. */
  #attributeAt(start: number, end: number): void {
    const bytes = this.#bytes;
    // A KeyValue begins with its key; one that does not is of nobody's exporter and names no peer.
    const length = bytes[start + 1]!;
    if (bytes[start] !== 0x0a || length > KEY_LENGTH_MAX || start + 2 + length >= end) return;
    for (const { text, list, rank } of KEYS_BY_LENGTH[length]!) {
      if (!isAt(bytes, start + 2, text)) continue;
      const reader = this.#attribute.over(start + 2 + length, end);
      if (!reader.next() || reader.field !== 2) return;
      const value = this.#value.over(reader.range(), reader.position);
      if (!value.next()) return;
      if (value.field === 1) {
        const textStart = value.range();
        if (value.position > textStart) this.#found[list].offer(rank, textStart, value.position);
      } else if (value.field === 3 && value.wireType === VARINT && list === 'port') {
        this.#found.port.offer(rank, 0, 0, value.number());
      }
      return;
    }
  }

  /** 0 for what is no port. */
  #portOf({ start, end, number }: Found): number {
    const port = end > start ? Number(identityOf(this.#bytes, start, end)) : number;
    return port > 0 && port <= 0xffff ? port : 0;
  }

  #codeOf(text: number, port: number): number {
    const key = text * 0x1_0000 + port;
    let code = this.#codes.get(key);
    if (code === undefined) {
      const name = this.#texts.values[text - 1]!;
      code = this.peers.push(port === 0 ? name : `${name}:${port}`);
      this.#codes.set(key, code);
    }
    return code;
  }
}

/** The value of the first key of a list that an attribute has: a text's range, or a number. */
class Found {
  start = 0;
  end = 0;
  number = 0;
  #rank = NO_RANK;

  get isKnown(): boolean {
    return this.#rank < NO_RANK;
  }

  /** Nothing that follows takes its place. */
  get isBest(): boolean {
    return this.#rank === 0;
  }

  clear(): void {
    this.#rank = NO_RANK;
  }

  offer(rank: number, start: number, end: number, number = 0): void {
    if (rank >= this.#rank) return;
    this.#rank = rank;
    this.start = start;
    this.end = end;
    this.number = number;
  }
}

const NO_RANK = 0xff;
// Tag, length and bytes of the trace id, the span id and the parent's.
const IDS_BYTES = 18 + 10 + 10;
const encoder = new TextEncoder();
const TOOL_PREFIX = encoder.encode(TOOL_SPAN_PREFIX);
const LISTS = { host: PEER_HOST_KEYS, port: PEER_PORT_KEYS, name: PEER_NAME_KEYS };
const KEYS = (Object.keys(LISTS) as (keyof typeof LISTS)[]).flatMap((list) =>
  LISTS[list].map((key, rank) => ({ text: encoder.encode(key), list, rank })),
);
const KEY_LENGTH_MAX = Math.max(...KEYS.map(({ text }) => text.length));
const KEYS_BY_LENGTH = Array.from({ length: KEY_LENGTH_MAX + 1 }, (_, length) =>
  KEYS.filter(({ text }) => text.length === length),
);

function isAt(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let i = text.length - 1; i >= 0; i--) if (bytes[start + i] !== text[i]) return false;
  return true;
}
