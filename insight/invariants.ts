/**
 * Invariants: what the states of components must always satisfy, declared by whoever knows, one a line, and checked on snapshots.
 *
 *     books balance: sum(service/ledger#accounts.*.balance) == service/ledger#total
 *     stock agrees: service/orders#reserved == service/inventory#reserved within 10 s
 *     versions only rise: monotonic service/config#version
 *
 *     rule   = name ":" claim
 *     claim  = "monotonic" value | value op value [ "within" seconds "s" ]
 *     op     = "==" | "!=" | "<=" | ">=" | "<" | ">"
 *     value  = number | "text" | "true" | "false" | "null" | place | ("sum" | "count" | "min" | "max") "(" place ")"
 *     place  = type "/" ( id | "*" ) "#" key { "." key | "[" index "]" | "." "*" }
 *
 * A rule about one component holds on each of its nodes, at every snapshot. One about two may be broken while an operation is on its way
 * from one to the other: for `within` seconds, 5 if nothing is said. What no snapshot has said yet breaks nothing.
 */
import type { Json } from '../model/json.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { type Moment, replicasOf } from './replicas/replica.ts';

export interface Invariant {
  name: string;
  /** As it was declared, for people. */
  text: string;
  op: Operator | 'monotonic';
  left: Value;
  /** Null for `monotonic`. */
  right: Value | null;
  withinSeconds: number;
}

type Operator = '==' | '!=' | '<=' | '>=' | '<' | '>';
type Fold = 'sum' | 'count' | 'min' | 'max';
type Value = { literal: Json } | { place: Place; fold: Fold | null };

interface Place {
  type: string;
  /** Null: every component of the type, each for itself. */
  id: string | null;
  /** Matches a leaf's path as replicas/replica.ts writes it. */
  path: RegExp;
}

/** A rule that some snapshots broke, for longer than it may be broken. */
export interface Violation {
  invariant: Invariant;
  /** The snapshot that broke it. */
  since: Snapshot;
  /** When it held again; null: it has not. */
  until: bigint | null;
  /** How often it was seen broken meanwhile. */
  confirmations: number;
  left: Json;
  right: Json;
  /** The snapshots that the two sides were read from. */
  sides: Snapshot[];
}

/**
 * @param text rules, one a line; empty lines and those that begin with `#` are left out
 * @throws Error that names the line and the rule that cannot be read
 */
export function parseInvariants(text: string): Invariant[] {
  const invariants: Invariant[] = [];
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const named = /^([^:]{1,100}):\s+(.*)$/.exec(line);
    const where = `line ${i + 1}`;
    if (named === null) throw new Error(`${where} is no rule: it must be a name, a colon and what must hold`);
    const name = named[1]!.trim();
    if (invariants.some((other) => other.name === name)) throw new Error(`${where}: there are two rules "${name}"`);
    try {
      invariants.push({ name, text: named[2]!, ...claimIn(named[2]!) });
    } catch (error) {
      throw new Error(`${where}, rule "${name}": ${(error as Error).message}`);
    }
  }
  return invariants;
}

/** @param snapshots any order  @param asOf nanoseconds: how long a rule that is broken now has been  @returns by the time of the break */
export function violationsOf(invariant: Invariant, snapshots: readonly Snapshot[], asOf: bigint): Violation[] {
  const violations: Violation[] = [];
  for (const subject of subjectsOf(invariant, snapshots)) {
    if (invariant.op === 'monotonic') violations.push(...falls(invariant, subject));
    else violations.push(...breaks(invariant, subject, asOf));
  }
  return violations.sort((a, b) => (a.since.time < b.since.time ? -1 : a.since.time > b.since.time ? 1 : 0));
}

// ---- reading rules ----------------------------------------------------------------------------------------------------

const WITHIN_DEFAULT_SECONDS = 5;
const TOKEN =
  /\s*(?:(==|!=|<=|>=|<|>)|(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w/])|"((?:[^"\\]|\\.)*)"|(sum|count|min|max)\s*\(|(\))|([\w.-]+\/(?:\*|[^\s#()]+)#[^\s()]+)|([a-z]+))/iy;

interface Token {
  kind: 'op' | 'number' | 'text' | 'fold' | 'close' | 'place' | 'word';
  text: string;
}

function claimIn(text: string): Pick<Invariant, 'op' | 'left' | 'right' | 'withinSeconds'> {
  const tokens = tokensIn(text);
  const next = () => tokens.shift();
  if (tokens[0]?.kind === 'word' && tokens[0].text === 'monotonic') {
    next();
    const left = valueIn(tokens);
    if ('literal' in left) throw new Error('"monotonic" takes a place in a state');
    if (tokens.length > 0) throw new Error(`nothing may follow, but "${tokens[0]!.text}" does`);
    return { op: 'monotonic', left, right: null, withinSeconds: 0 };
  }
  const left = valueIn(tokens);
  const op = next();
  if (op?.kind !== 'op') throw new Error(`one of == != <= >= < > must follow, not "${op?.text ?? 'the end'}"`);
  const right = valueIn(tokens);
  if ('literal' in left && 'literal' in right) throw new Error('one side must be a place in a state');
  let withinSeconds = isOfOne(left, right) ? 0 : WITHIN_DEFAULT_SECONDS;
  if (tokens.length > 0) {
    const [within, seconds, unit, ...rest] = tokens;
    if (within!.text !== 'within' || seconds?.kind !== 'number' || unit?.text !== 's' || rest.length > 0)
      throw new Error(`only "within 5 s" may follow, not "${tokens.map((token) => token.text).join(' ')}"`);
    withinSeconds = Number(seconds.text);
    if (withinSeconds < 0) throw new Error('the seconds must not be negative');
  }
  return { op: op.text as Operator, left, right, withinSeconds };
}

function valueIn(tokens: Token[]): Value {
  const token = tokens.shift();
  if (token === undefined) throw new Error('a value is missing at the end');
  if (token.kind === 'number') return { literal: Number(token.text) };
  if (token.kind === 'text') return { literal: JSON.parse(`"${token.text}"`) as string };
  if (token.kind === 'place') return { place: placeIn(token.text), fold: null };
  if (token.kind === 'word' && ['true', 'false', 'null'].includes(token.text))
    return { literal: JSON.parse(token.text) as Json };
  if (token.kind !== 'fold') throw new Error(`"${token.text}" is no value`);
  const inner = tokens.shift();
  if (inner?.kind !== 'place')
    throw new Error(`${token.text}() takes a place in a state, as service/ledger#accounts.*`);
  if (tokens.shift()?.kind !== 'close') throw new Error(`${token.text}( is not closed`);
  return { place: placeIn(inner.text), fold: token.text.toLowerCase() as Fold };
}

function tokensIn(text: string): Token[] {
  const kinds = ['op', 'number', 'text', 'fold', 'close', 'place', 'word'] as const;
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < end; ) {
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`cannot read "${text.slice(at).trim()}"`);
    const kind = kinds[match.slice(1).findIndex((part) => part !== undefined)]!;
    tokens.push({ kind, text: match.slice(1).find((part) => part !== undefined)! });
    at = TOKEN.lastIndex;
  }
  return tokens;
}

function placeIn(text: string): Place {
  const slash = text.indexOf('/');
  const hash = text.indexOf('#');
  const id = text.slice(slash + 1, hash);
  const keys = text.slice(hash + 1);
  if (!/^(?:\*|[^.[\]*]+)(?:\.(?:\*|[^.[\]*]+)|\[(?:\d+|\*)\])*$/.test(keys))
    throw new Error(`"${keys}" is no path of keys`);
  // A key that is no plain name is quoted in paths: accounts["a 1"].
  const escaped = (key: string) => key.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const pattern = keys.replace(/(^|\.)([^.[\]]+)|\[(\d+|\*)\]/g, (_, dot: string, key: string, index: string) => {
    if (index !== undefined) return index === '*' ? '\\[\\d+\\]' : `\\[${index}\\]`;
    if (key === '*') return `(?:${dot === '' ? '' : '\\.'}[^.[\\]"]+|\\["(?:[^"\\\\]|\\\\.)*"\\]|\\[\\d+\\])`;
    return `(?:${dot === '' ? '' : '\\.'}${escaped(key)}|\\["${escaped(key)}"\\])`;
  });
  return { type: text.slice(0, slash), id: id === '*' ? null : id, path: new RegExp(`^${pattern}$`) };
}

function isOfOne(left: Value, right: Value): boolean {
  if ('literal' in left || 'literal' in right) return true;
  return left.place.type === right.place.type && left.place.id === right.place.id;
}

// ---- checking ---------------------------------------------------------------------------------------------------------

/** What one check is about: for each side the moments of its states, by time. */
interface Subject {
  left: readonly Moment[];
  /** Null where the right side is literal. */
  right: readonly Moment[] | null;
}

function subjectsOf({ left, right }: Invariant, snapshots: readonly Snapshot[]): Subject[] {
  const [place, other] = [placeOf(left), right === null ? null : placeOf(right)];
  const primary = place ?? other!;
  const isOne = place === null || other === null || isOfOne(left, right!);
  if (isOne) {
    // Every node of every component by itself.
    const replicas = replicasOf(
      snapshots.filter((snapshot) => isAt(primary, snapshot)),
      ({ component_id, node_id }) => `${component_id}\0${node_id}`,
    );
    return replicas.map(({ moments }) => ({
      left: place === null ? [] : moments,
      right: other === null ? null : moments,
    }));
  }
  const momentsAt = (at: Place) =>
    replicasOf(
      snapshots.filter((snapshot) => isAt(at, snapshot)),
      ({ component_id }) => component_id,
    );
  const subjects: Subject[] = [];
  for (const one of momentsAt(place)) {
    for (const another of momentsAt(other)) {
      // Of two wildcards those of the same name belong together.
      if (place.id === null && other.id === null && one.component.id !== another.component.id) continue;
      subjects.push({ left: one.moments, right: another.moments });
    }
  }
  return subjects;
}

function* falls(invariant: Invariant, { left: moments }: Subject): Generator<Violation> {
  let before: { value: number; snapshot: Snapshot } | null = null;
  for (const { snapshot, leaves } of moments) {
    const value = readValue(invariant.left, leaves);
    if (typeof value !== 'number') continue;
    if (before !== null && value < before.value) {
      const sides = [before.snapshot, snapshot];
      yield { invariant, since: snapshot, until: null, confirmations: 0, left: value, right: before.value, sides };
    }
    before = { value, snapshot };
  }
}

function* breaks(invariant: Invariant, { left, right }: Subject, asOf: bigint): Generator<Violation> {
  const within = BigInt(Math.round(invariant.withinSeconds * 1e9));
  const steps = [
    ...left.map((moment) => ({ moment, isLeft: true, isRight: right === left })),
    ...(right === null || right === left ? [] : right.map((moment) => ({ moment, isLeft: false, isRight: true }))),
  ].sort((a, b) => (a.moment.snapshot.time < b.moment.snapshot.time ? -1 : 1));
  let [one, other]: [Moment | null, Moment | null] = [null, null];
  let open: Violation | null = null;
  const isOver = ({ since, until }: Violation) =>
    (until ?? asOf) - since.time >= within && (within > 0n || until !== since.time);
  for (const { moment, isLeft, isRight } of steps) {
    if (isLeft) one = moment;
    if (isRight) other = moment;
    const a = readValue(invariant.left, one?.leaves);
    const b = readValue(invariant.right!, other?.leaves);
    if (a === undefined || b === undefined) continue;
    if (holds(invariant.op as Operator, a, b)) {
      if (open !== null) {
        open.until = moment.snapshot.time;
        if (isOver(open)) yield open;
      }
      open = null;
    } else if (open === null) {
      const sides = [one, other].filter((side) => side !== null).map(({ snapshot }) => snapshot);
      open = { invariant, since: moment.snapshot, until: null, confirmations: 0, left: a, right: b, sides };
    } else {
      open.confirmations++;
      open.left = a;
      open.right = b;
    }
  }
  if (open !== null && isOver(open)) yield open;
}

function placeOf(value: Value): Place | null {
  return 'place' in value ? value.place : null;
}

function isAt({ type, id }: Place, snapshot: Snapshot): boolean {
  return snapshot.component_type === type && (id ?? snapshot.component_id) === snapshot.component_id;
}

/** Undefined where the state does not say. */
function readValue(value: Value, leaves: ReadonlyMap<string, Json> | undefined): Json | undefined {
  if ('literal' in value) return value.literal;
  if (leaves === undefined) return undefined;
  const found: Json[] = [];
  for (const [path, leaf] of leaves) if (value.place.path.test(path)) found.push(leaf);
  if (value.fold === null) return found.length === 1 ? found[0] : undefined;
  if (value.fold === 'count') return found.length;
  const numbers = found.filter((leaf) => typeof leaf === 'number');
  if (numbers.length === 0) return undefined;
  if (value.fold === 'sum') return numbers.reduce((sum, each) => sum + each, 0);
  return value.fold === 'min' ? Math.min(...numbers) : Math.max(...numbers);
}

function holds(op: Operator, a: Json, b: Json): boolean {
  if (op === '==' || op === '!=') return (op === '==') === isEqual(a, b);
  if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string')) return false;
  const [x, y] = [a, b] as [number, number];
  if (op === '<=' || op === '>=') return isEqual(a, b) || (op === '<=' ? x < y : x > y);
  return !isEqual(a, b) && (op === '<' ? x < y : x > y);
}

/** Sums of cents in doubles are off by less than a billionth; amounts that are wrong are off by more. */
function isEqual(a: Json, b: Json): boolean {
  if (typeof a === 'number' && typeof b === 'number')
    return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b), 1);
  return a === b;
}
