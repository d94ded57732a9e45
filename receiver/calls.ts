/**
 * Joins spans into calls as they arrive, without waiting for a trace to be complete: a span and its parent meet in whichever order they
 * come, in one request or in several, as long as both are among the newest SPANS. What a flush counts while one of them is missing (the
 * call of an unknown caller, and the call to a peer that nobody is known to answer) is taken back by the one that brings it.
 *
 * The newest spans lie in a ring of columns. A place is found through chains of hashes as zlib's deflate keeps them (RFC 1951, section 4):
 * a head for each hash, each place pointing to the one before of the same hash; what has left the ring ends its chain, so that nothing
 * is ever taken out. 60 bytes a span.
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
  /** Places are numbered on and on; a number's place in the ring is its low bits. 0 is none. */
  #next = 1;
  /** The first of which it is not counted what it lacks. */
  #first = 1;
  readonly #idLow: Uint32Array;
  readonly #idHigh: Uint32Array;
  readonly #parentLow: Uint32Array;
  readonly #parentHigh: Uint32Array;
  readonly #trace: Uint32Array;
  /** Codes of the component, and of whom the span names; 0 for nobody. */
  readonly #owner: Uint16Array;
  readonly #peer: Uint16Array;
  /** Since 1970. */
  readonly #minute: Uint32Array;
  readonly #durationMs: Float32Array;
  readonly #flags: Uint8Array;
  readonly #byId: Chains;
  /** Those whose parent has not been seen. */
  readonly #waiting: Chains;
  #ends: CallEnd[] = [];
  readonly #codes = new Map<string, number>();

  /** @param capacity spans, a power of two */
  constructor(capacity = SPANS) {
    this.#mask = capacity - 1;
    this.#idLow = new Uint32Array(capacity);
    this.#idHigh = new Uint32Array(capacity);
    this.#parentLow = new Uint32Array(capacity);
    this.#parentHigh = new Uint32Array(capacity);
    this.#trace = new Uint32Array(capacity);
    this.#owner = new Uint16Array(capacity);
    this.#peer = new Uint16Array(capacity);
    this.#minute = new Uint32Array(capacity);
    this.#durationMs = new Float32Array(capacity);
    this.#flags = new Uint8Array(capacity);
    this.#byId = new Chains(capacity);
    this.#waiting = new Chains(capacity);
    this.#forget();
  }

  /** Takes the spans of these tables, each span once. @returns the edges that they change, none of which counts nothing */
  edgesOf(tenant: string, tables: readonly RecordTable[], admits: Admits = () => true): EdgeMinute[] {
    // Names that come and go for weeks: forgetting them all costs the calls that are under way.
    if (this.#ends.length > ENDS_MAX / 2) this.#forget();
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
      const place = this.#next & this.#mask;
      this.#idLow[place] = span.idLow;
      this.#idHigh[place] = span.idHigh;
      this.#parentLow[place] = span.parentLow;
      this.#parentHigh[place] = span.parentHigh;
      this.#trace[place] = span.trace ^ salt;
      this.#owner[place] = owner;
      this.#peer[place] = peer;
      this.#minute[place] = Math.floor((words[at + TIME_HIGH]! * 2 ** 32 + words[at + TIME_LOW]!) / NANOS_A_MINUTE);
      this.#durationMs[place] = floats[at + DURATION]!;
      this.#flags[place] =
        (((words[at + KIND]! >>> 8) & 0xff) >= SEVERITY_ERROR ? FAILED : 0) |
        (span.kind === KIND_CLIENT ? CLIENT : 0) |
        (span.kind === KIND_SERVER || span.kind === KIND_CONSUMER ? ANSWERS : 0);
      this.#join(place, edges);
      this.#next++;
      if (this.#next - this.#first > this.#mask >> 1) this.#settle(edges);
    }
  }

  /** Counts what is missing at the end of a flush: most of what was missing on the way has come by then. */
  #settle(edges: Edges): void {
    for (; this.#first < this.#next; this.#first++) {
      const place = this.#first & this.#mask;
      const flags = this.#flags[place]!;
      if ((flags & (WAITS | ANSWERS)) === (WAITS | ANSWERS)) this.#countInto(place, UNKNOWN, place, 1, edges);
      if (this.#peer[place] !== 0 && (flags & ANSWERED) === 0) this.#countPeer(place, 1, edges);
    }
  }

  /** The span that was written last: with those that waited for it, and with its parent. */
  #join(place: number, edges: Edges): void {
    const oldest = this.#next - this.#mask;
    const trace = this.#trace[place]!;
    const idLow = this.#idLow[place]!;
    const idHigh = this.#idHigh[place]!;
    const ownHash = hashOf(idLow, idHigh, trace);
    for (let other = this.#waiting.first(ownHash), before = 0; other >= oldest; other = this.#waiting.after(other)) {
      const child = other & this.#mask;
      if (this.#parentLow[child] !== idLow || this.#parentHigh[child] !== idHigh || this.#trace[child] !== trace) {
        before = other;
        continue;
      }
      this.#waiting.remove(ownHash, before, other);
      this.#flags[child]! &= ~WAITS;
      if (other < this.#first && (this.#flags[child]! & ANSWERS) !== 0)
        this.#countInto(child, UNKNOWN, child, -1, edges);
      this.#call(child, place, this.#next, edges);
    }
    this.#byId.add(ownHash, this.#next);

    const parentLow = this.#parentLow[place]!;
    const parentHigh = this.#parentHigh[place]!;
    if ((parentLow | parentHigh) === 0) {
      this.#countInto(place, NOBODY, place, 1, edges);
      return;
    }
    const parentHash = hashOf(parentLow, parentHigh, trace);
    let parent = 0;
    let steps = 0;
    for (let other = this.#byId.first(parentHash); other >= oldest; other = this.#byId.after(other)) {
      if (++steps > STEPS_MAX) break;
      const known = other & this.#mask;
      if (known === place || this.#idLow[known] !== parentLow || this.#idHigh[known] !== parentHigh) continue;
      if (this.#trace[known] !== trace) continue;
      parent = other;
      // A client and the server that answers it may share an id (Zipkin's habit): what follows is of the same component.
      if (this.#owner[known] === this.#owner[place]) break;
    }
    if (parent !== 0) return this.#call(place, parent & this.#mask, parent, edges);
    this.#flags[place]! |= WAITS;
    this.#waiting.add(parentHash, this.#next);
  }

  /** @param number the parent's, of which `parent` is the place */
  #call(child: number, parent: number, number: number, edges: Edges): void {
    const owner = this.#owner[parent]!;
    if (owner !== this.#owner[child]) {
      const waited = (this.#flags[parent]! & CLIENT) !== 0 ? parent : child;
      this.#countInto(child, owner, waited, 1, edges);
      // A driver's span below a client's span of one's own names the same peer again.
    } else if (this.#peer[child] === 0) return;
    if (this.#peer[parent] === 0 || (this.#flags[parent]! & ANSWERED) !== 0) return;
    this.#flags[parent]! |= ANSWERED;
    if (number < this.#first) this.#countPeer(parent, -1, edges);
  }

  /** A call that a span answers. @param waited the span that tells how long it took */
  #countInto(place: number, from: number, waited: number, times: number, edges: Edges): void {
    const failed = ((this.#flags[place]! | this.#flags[waited]!) & FAILED) !== 0;
    edges.count(this.#minute[place]!, from, this.#owner[place]!, this.#durationMs[waited]!, failed, times);
  }

  #countPeer(place: number, times: number, edges: Edges): void {
    const failed = (this.#flags[place]! & FAILED) !== 0;
    edges.count(this.#minute[place]!, this.#owner[place]!, this.#peer[place]!, this.#durationMs[place]!, failed, times);
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
    this.#next += this.#mask + 1;
    this.#codes.clear();
    this.#ends = [...FIXED_ENDS];
  }
}

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

const NANOS_A_MINUTE = Number(NANOS_PER_MINUTE);

/** Numbers by hash, the newest first. */
class Chains {
  readonly #heads: Float64Array;
  readonly #links: Float64Array;
  readonly #mask: number;

  constructor(capacity: number) {
    this.#heads = new Float64Array(capacity);
    this.#links = new Float64Array(capacity);
    this.#mask = capacity - 1;
  }

  first(hash: number): number {
    return this.#heads[hash & this.#mask]!;
  }

  after(number: number): number {
    return this.#links[number & this.#mask]!;
  }

  add(hash: number, number: number): void {
    this.#links[number & this.#mask] = this.#heads[hash & this.#mask]!;
    this.#heads[hash & this.#mask] = number;
  }

  /** @param before the number that leads to this one; 0 where the hash does */
  remove(hash: number, before: number, number: number): void {
    const next = this.#links[number & this.#mask]!;
    if (before === 0) this.#heads[hash & this.#mask] = next;
    else this.#links[before & this.#mask] = next;
  }
}

function hashOf(low: number, high: number, trace: number): number {
  let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b) ^ Math.imul(trace, SPREAD), 0xc2b2ae35);
  hash ^= hash >>> 15;
  return Math.imul(hash, SPREAD) >>> 8;
}

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
