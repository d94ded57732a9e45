/**
 * Joins spans into calls as they arrive, without waiting for a trace to be complete: a span and its parent meet in whichever order they
 * come, in one request or in several, as long as both are among the newest SPANS. What a flush counts while one of them is missing (the
 * call of an unknown caller, and the call to a peer that nobody is known to answer) is taken back by the one that brings it.
 *
 * The newest spans lie in a ring of rows, all that is asked of one in one line of the processor's cache. A row is found through chains of hashes as zlib's deflate keeps them (RFC 1951, section 4):
 * a head for each hash, each place pointing to the one before of the same hash; what has left the ring ends its chain, so that nothing
 * is ever taken out. 64 bytes a span.
 */
import type { ComponentRef } from '../model/block.ts';
import { SIGNALS } from '../model/block.ts';
import { SEVERITY_ERROR } from '../model/event.ts';
import { hashText } from '../model/hash.ts';
import {
  COMPONENT,
  DURATION,
  END,
  KIND,
  PART,
  type RecordTable,
  ROW_WORDS,
  START,
  TIME_HIGH,
  TIME_LOW,
} from '../model/records.ts';
import type { EdgeKind, EdgeMinute } from '../model/rollup.ts';
import { Sketch } from '../model/sketch.ts';
import { NANOS_PER_MINUTE } from '../model/time.ts';
import { KIND_CLIENT, KIND_CONSUMER, KIND_SERVER, SpanCall } from '../otlp/span-call.ts';
import { OVERFLOW } from './cardinality.ts';
import type { Admits } from './minute-counts.ts';

/** At 50,000 spans a second, the five seconds after which exporters send a batch at the latest. */
export const SPANS = 1 << 18;

/** What was seen lately, of all tenants. */
export class Calls {
  readonly #mask: number;
  /** Spans are numbered on and on; a number's place in the ring is its low bits. 0 is none. */
  #next = 1;
  /** The first of which it is not counted what it lacks. */
  #first = 1;
  /** Rows of ROW words, back to back. */
  readonly #words: Uint32Array;
  /** The same memory. */
  readonly #floats: Float32Array;
  readonly #heads: Heads;
  #ends: CallEnd[] = [];
  readonly #codes = new Map<string, number>();

  /** @param capacity spans, a power of two */
  constructor(capacity = SPANS) {
    this.#mask = capacity - 1;
    this.#words = new Uint32Array(capacity * ROW);
    this.#floats = new Float32Array(this.#words.buffer);
    this.#heads = new Heads(capacity * HEADS_A_SPAN);
    this.#forget();
  }

  /** Takes the spans of these tables, each span once. @returns the edges that they change, none of which counts nothing */
  edgesOf(tenant: string, tables: readonly RecordTable[], admits: Admits = () => true): EdgeMinute[] {
    // Names that come and go for weeks, or a day of 50,000 spans a second: forgetting all costs the calls that are under way.
    if (this.#ends.length > ENDS_MAX / 2 || this.#next > NUMBER_MAX) this.#forget();
    const edges = new Edges();
    const salt = Number(hashText(tenant) & 0xffff_ffffn);
    this.#first = this.#next;
    for (const table of tables) {
      if (SIGNALS[table.signal] !== 'span') continue;
      this.#take(table, salt, edges, (end) => this.#codeOf(tenant, end, admits));
    }
    this.#settle(edges);
    return edges.rows(this.#ends);
  }

  #take(table: RecordTable, salt: number, edges: Edges, codeOf: (end: CallEnd) => number): void {
    const { words, floats, length } = table;
    const span = new SpanCall(table.body);
    const owners: number[] = [];
    const peers: number[] = [];
    for (let row = 0, at = 0; row < length; row++, at += ROW_WORDS) {
      if (words[at + PART] !== 0) continue; // an exception that a span tells of
      span.read(words[at + START]!, words[at + END]!);
      const component = words[at + COMPONENT]!;
      const owner = (owners[component] ??= codeOf({ ...table.components[component]!, isPeer: false }));
      let peer = 0;
      if (span.peer !== 0) {
        peer = peers[span.peer] ??= codeOf({ type: 'service', id: span.peers[span.peer - 1]!, isPeer: true });
      }
      const failed = ((words[at + KIND]! >>> 8) & 0xff) >= SEVERITY_ERROR;
      const place = this.#placeOf(this.#next);
      const ring = this.#words;
      ring[place + ID_LOW] = span.idLow;
      ring[place + ID_HIGH] = span.idHigh;
      ring[place + PARENT_LOW] = span.parentLow;
      ring[place + PARENT_HIGH] = span.parentHigh;
      ring[place + TRACE] = span.trace ^ salt;
      ring[place + OWNER] = owner;
      ring[place + PEER] = peer;
      ring[place + MINUTE] = (words[at + TIME_HIGH]! * 2 ** 32 + words[at + TIME_LOW]!) / NANOS_A_MINUTE;
      this.#floats[place + DURATION_MS] = floats[at + DURATION]!;
      ring[place + FLAGS] = (failed ? FAILED : 0) | (FLAGS_BY_KIND[span.kind] ?? 0);
      this.#join(place, edges);
      this.#next++;
      if (this.#next - this.#first > this.#mask >> 1) this.#settle(edges);
    }
  }

  /** Where the row of a span begins. */
  #placeOf(number: number): number {
    return (number & this.#mask) * ROW;
  }

  /** Counts what is missing at the end of a flush: most of what was missing on the way has come by then. */
  #settle(edges: Edges): void {
    const ring = this.#words;
    for (; this.#first < this.#next; this.#first++) {
      const place = this.#placeOf(this.#first);
      const flags = ring[place + FLAGS]!;
      if ((flags & (WAITS | ANSWERS)) === (WAITS | ANSWERS)) this.#countInto(place, UNKNOWN, place, 1, edges);
      if (ring[place + PEER] !== 0 && (flags & ANSWERED) === 0) this.#countPeer(place, 1, edges);
    }
  }

  /** The span that was written last: with those that waited for it, and with its parent. */
  #join(place: number, edges: Edges): void {
    const ring = this.#words;
    const heads = this.#heads.words;
    const number = this.#next;
    const oldest = number - this.#mask;
    const trace = ring[place + TRACE]!;
    const idLow = ring[place + ID_LOW]!;
    const idHigh = ring[place + ID_HIGH]!;
    const own = this.#heads.at(idLow, idHigh, trace);
    // The word that leads to the span looked at: the head's, then the one before's.
    for (let other = heads[own + WAITING]!, before = -1; other >= oldest; ) {
      const child = this.#placeOf(other);
      const next = ring[child + WAITING_LINK]!;
      if (ring[child + PARENT_LOW] !== idLow || ring[child + PARENT_HIGH] !== idHigh || ring[child + TRACE] !== trace) {
        before = child;
      } else {
        if (before < 0) heads[own + WAITING] = next;
        else ring[before + WAITING_LINK] = next;
        ring[child + FLAGS]! &= ~WAITS;
        if (other < this.#first && (ring[child + FLAGS]! & ANSWERS) !== 0)
          this.#countInto(child, UNKNOWN, child, -1, edges);
        this.#call(child, place, number, edges);
      }
      other = next;
    }
    ring[place + KNOWN_LINK] = heads[own + KNOWN]!;
    heads[own + KNOWN] = number;

    const parentLow = ring[place + PARENT_LOW]!;
    const parentHigh = ring[place + PARENT_HIGH]!;
    if ((parentLow | parentHigh) === 0) {
      this.#countInto(place, NOBODY, place, 1, edges);
      return;
    }
    const head = this.#heads.at(parentLow, parentHigh, trace);
    const owner = ring[place + OWNER]!;
    let parent = 0;
    let steps = 0;
    for (let other = heads[head + KNOWN]!; other >= oldest; ) {
      if (++steps > STEPS_MAX) break;
      const known = this.#placeOf(other);
      if (
        ring[known + ID_LOW] === parentLow &&
        ring[known + ID_HIGH] === parentHigh &&
        ring[known + TRACE] === trace &&
        known !== place
      ) {
        parent = other;
        // A client and the server that answers it may share an id (Zipkin's habit): what follows is of the same component.
        if (ring[known + OWNER] === owner) break;
      }
      other = ring[known + KNOWN_LINK]!;
    }
    if (parent !== 0) return this.#call(place, this.#placeOf(parent), parent, edges);
    ring[place + FLAGS]! |= WAITS;
    ring[place + WAITING_LINK] = heads[head + WAITING]!;
    heads[head + WAITING] = number;
  }

  /** @param number the parent's, of which `parent` is the place */
  #call(child: number, parent: number, number: number, edges: Edges): void {
    const ring = this.#words;
    const owner = ring[parent + OWNER]!;
    if (owner !== ring[child + OWNER]) {
      const waited = (ring[parent + FLAGS]! & CLIENT) !== 0 ? parent : child;
      this.#countInto(child, owner, waited, 1, edges);
      // A driver's span below a client's span of one's own names the same peer again.
    } else if (ring[child + PEER] === 0) return;
    if (ring[parent + PEER] === 0 || (ring[parent + FLAGS]! & ANSWERED) !== 0) return;
    ring[parent + FLAGS]! |= ANSWERED;
    if (number < this.#first) this.#countPeer(parent, -1, edges);
  }

  /** A call that a span answers. @param waited the span that tells how long it took */
  #countInto(place: number, from: number, waited: number, times: number, edges: Edges): void {
    const ring = this.#words;
    const failed = ((ring[place + FLAGS]! | ring[waited + FLAGS]!) & FAILED) !== 0;
    edges.count(ring[place + MINUTE]!, from, ring[place + OWNER]!, this.#floats[waited + DURATION_MS]!, failed, times);
  }

  #countPeer(place: number, times: number, edges: Edges): void {
    const ring = this.#words;
    const failed = (ring[place + FLAGS]! & FAILED) !== 0;
    const durationMs = this.#floats[place + DURATION_MS]!;
    edges.count(ring[place + MINUTE]!, ring[place + OWNER]!, ring[place + PEER]!, durationMs, failed, times);
  }

  #codeOf(tenant: string, end: CallEnd, admits: Admits): number {
    const { type, id, isPeer } = end;
    const key = `${tenant.length} ${tenant}${isPeer} ${type.length} ${type}${id}`;
    const known = this.#codes.get(key);
    if (known !== undefined) return known;
    if (
      !admits(isPeer ? 'peer' : 'component', isPeer ? id : `${type.length} ${type}${id}`) ||
      this.#ends.length === ENDS_MAX
    ) {
      return isPeer ? OVERFLOW_PEER : OVERFLOW_COMPONENT;
    }
    const code = this.#ends.push(end) - 1;
    this.#codes.set(key, code);
    return code;
  }

  #forget(): void {
    this.#next = this.#mask + 1;
    this.#heads.words.fill(0);
    this.#codes.clear();
    this.#ends = [...FIXED_ENDS];
  }
}

// Words of a row of the ring.
const ID_LOW = 0;
const ID_HIGH = 1;
const PARENT_LOW = 2;
const PARENT_HIGH = 3;
const TRACE = 4;
/** Codes of the component, and of whom the span names; 0 for nobody. */
const OWNER = 5;
const PEER = 6;
/** Since 1970. */
const MINUTE = 7;
/** Float. */
const DURATION_MS = 8;
const FLAGS = 9;
/** The span before of the same hash, and the one before that waits for the same. */
const KNOWN_LINK = 10;
const WAITING_LINK = 11;
const ROW = 12;
// So far below 2^32 that no flush passes it.
const NUMBER_MAX = 2 ** 31;

/** Who calls or is called. */
interface CallEnd extends ComponentRef {
  /** Known by what its callers name it. */
  isPeer: boolean;
}

// Codes that are always there.
const NOBODY = 1;
const UNKNOWN = 2;
const OVERFLOW_COMPONENT = 3;
const OVERFLOW_PEER = 4;
const NO_END: CallEnd = { type: '', id: '', isPeer: false };
const FIXED_ENDS: readonly CallEnd[] = [
  NO_END, // 0 is no code
  NO_END,
  NO_END,
  { type: 'system', id: OVERFLOW, isPeer: false },
  { type: 'service', id: OVERFLOW, isPeer: true },
];
// Codes have 16 bits.
const ENDS_MAX = 0xffff;

const FAILED = 1;
const CLIENT = 2;
/** Somebody has called it, as its kind says. */
const ANSWERS = 4;
const ANSWERED = 8;
/** For its parent. */
const WAITS = 16;
// Chains are one or two long, but for a sender that gives one id to all of its spans.
const STEPS_MAX = 64;

/** By kind, as OTLP numbers them. */
const FLAGS_BY_KIND = new Uint8Array(8);
FLAGS_BY_KIND[KIND_CLIENT] = CLIENT;
FLAGS_BY_KIND[KIND_SERVER] = FLAGS_BY_KIND[KIND_CONSUMER] = ANSWERS;

const NANOS_A_MINUTE = Number(NANOS_PER_MINUTE);

/** Where the chains of hashes begin. */
class Heads {
  /** Two by two, as both are asked for the same hash: the newest span of that id, and the newest that waits for that parent. */
  readonly words: Uint32Array;
  readonly #mask: number;

  /** @param capacity a power of two */
  constructor(capacity: number) {
    this.words = new Uint32Array(capacity * 2);
    this.#mask = capacity - 1;
  }

  at(low: number, high: number, trace: number): number {
    let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b) ^ Math.imul(trace, SPREAD), 0xc2b2ae35);
    hash ^= hash >>> 15;
    return ((Math.imul(hash, SPREAD) >>> 8) & this.#mask) * 2;
  }
}

// Words of a head.
const KNOWN = 0;
const WAITING = 1;
// Nearly every look-up finds nothing or what it looks for: a chain shared by chance is a row read in vain, from anywhere in the ring.
const HEADS_A_SPAN = 2;

/** Of this process alone, so that no sender can choose ids that all fall on one chain. */
const SPREAD = Math.floor(Math.random() * 2 ** 32) | 1;

interface Edge {
  minute: number;
  from: number;
  to: number;
  calls: number;
  errors: number;
  latency: Sketch;
}

/** What one flush counts. */
class Edges {
  readonly #byMinute = new Map<number, Map<number, Edge>>();
  #minute = -1;
  #ofMinute = new Map<number, Edge>();

  count(minute: number, from: number, to: number, durationMs: number, failed: boolean, times: number): void {
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#ofMinute = this.#byMinute.get(minute) ?? new Map();
      this.#byMinute.set(minute, this.#ofMinute);
    }
    const key = from * 0x1_0000 + to;
    let edge = this.#ofMinute.get(key);
    if (edge === undefined) {
      edge = { minute, from, to, calls: 0, errors: 0, latency: new Sketch() };
      this.#ofMinute.set(key, edge);
    }
    edge.calls += times;
    if (failed) edge.errors += times;
    edge.latency.add(durationMs, times);
  }

  rows(ends: readonly CallEnd[]): EdgeMinute[] {
    const rows: EdgeMinute[] = [];
    for (const edges of this.#byMinute.values()) {
      for (const { minute, from, to, calls, errors, latency } of edges.values()) {
        // Counted and taken back within the flush.
        if (calls === 0 && errors === 0 && latency.isEmpty) continue;
        const [caller, called] = [ends[from]!, ends[to]!];
        rows.push({
          minute: BigInt(minute) * NANOS_PER_MINUTE,
          kind: kindOf(from, called),
          from_type: caller.type,
          from_id: caller.id,
          to_type: called.type,
          to_id: called.id,
          calls,
          errors,
          latency,
        });
      }
    }
    return rows;
  }
}

function kindOf(from: number, { isPeer }: CallEnd): EdgeKind {
  if (from === NOBODY) return 'entry';
  if (from === UNKNOWN) return 'unmatched';
  return isPeer ? 'peer' : 'call';
}
