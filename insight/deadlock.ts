/**
 * Who waits for whom: a graph of waits (Coffman, Elphick and Shoshani, ACM Computing Surveys 3, 1971) from what events and spans say, and
 * the circles in it. An operation that waits for a resource waits for whoever holds it.
 *
 * A wait ends with the next that its operation says. A circle is a deadlock while all of its waits last; once one of them has ended, only
 * where they lasted at once for a second at least and the first to end ended with an error: operations that got on had no circle to
 * break. Components that wait for each other within one operation are told apart by their names.
 */
import type { DebugEvent } from '../model/event.ts';
import type { Budget } from './analyzer.ts';
import { isError } from './event-facts.ts';
import { byTime, componentKey, timeOf, type Window } from './window.ts';

export interface Wait {
  /** The operation that waits, and whose end it waits for; within one operation, the components. */
  waiter: string;
  holder: string;
  /** The lock or resource between them; null where it waits for the operation itself. */
  resource: string | null;
  from: bigint;
  /** Null: it has not ended. */
  until: bigint | null;
  /** It ended with an error: somebody gave up. */
  broke: boolean;
  event: DebugEvent;
}

/** @returns circles of waits, each set of operations once, by the time of their first wait */
export function deadlocksOf(window: Window, budget: Budget): Wait[][] {
  const waits = waitsOf(window);
  const byWaiter = Map.groupBy(waits, ({ waiter }) => waiter);
  const circles = new Map<string, Wait[]>();
  for (const wait of waits) {
    budget.check();
    const circle = circleFrom(wait, byWaiter, window.asOf);
    const key = circle
      ?.map(({ waiter }) => waiter)
      .sort()
      .join('\0');
    if (circle !== null && !circles.has(key!)) circles.set(key!, circle);
  }
  return [...circles.values()];
}

const WAITING_FOR = [
  'waiting_for',
  'waits_for',
  'wait_for',
  'waiting_on',
  'waits_on',
  'blocked_by',
  'blocked_on',
  'lock.waiting_for',
  'lock.blocked_by',
];
const HELD_BY = ['held_by', 'lock_holder', 'lock.holder', 'lock.owner'];
const HOLDS = ['holds', 'holding', 'holds_lock', 'acquired', 'locked', 'lock.held'];
const RELEASES = ['released', 'releases', 'unlocked', 'lock.released'];
/** `waiting for op-2`, `blocked by "order 7"`: what follows must be the name of an operation that is known, or of something held. */
const SAID =
  /\b(?:wait(?:ing|s)?\s+(?:for|on)|blocked\s+(?:by|on))\s+(?:(?:the|operation|transaction|lock|resource)\s+){0,3}["'`]?([\w.:/-]{1,200}\w)/i;
/** `waiting for the lock of row 7, held by op-2` */
const SAID_HELD =
  /\b(?:wait(?:ing|s)?|blocked)\b.{1,200}?\b(?:held|owned|locked|taken)\s+by\s+["'`]?([\w.:/-]{1,200}\w)/i;
const WORDS_LENGTH_MAX = 500;
const LASTING_NANOS = 1_000_000_000n;
const CIRCLE_MAX = 20;
// From one wait; a graph in which so many lead on without a circle is no deadlock but a queue.
const STEPS_MAX = 1000;
const WAITS_MAX = 5000;

function waitsOf({ events, asOf }: Window): Wait[] {
  const waiters = new Map<string, DebugEvent[]>();
  const names = new Map<string, string>();
  const holders = new Map<string, string>();
  for (const event of events) {
    const name = nameOf(event);
    let own = waiters.get(name);
    if (own === undefined) waiters.set(name, (own = []));
    own.push(event);
    for (const alias of [event.operation_id, event.correlation_id]) if (alias !== null) names.set(alias, name);
  }
  // A component stands for its operation where it has only one.
  const ofComponent = Map.groupBy(waiters, ([, [first]]) => first!.component_id);
  for (const [id, own] of ofComponent) if (own.length === 1 && !names.has(id)) names.set(id, own[0]![0]);

  const waits: Wait[] = [];
  for (const event of [...events].sort(byTime)) {
    const waiter = nameOf(event);
    const own = waiters.get(waiter)!;
    for (const resource of textsAt(event, HOLDS)) holders.set(resource, waiter);
    for (const resource of textsAt(event, RELEASES)) if (holders.get(resource) === waiter) holders.delete(resource);
    const words = event.message.slice(0, WORDS_LENGTH_MAX);
    const said = [SAID_HELD, SAID].map((form) => form.exec(words)?.[1]).filter((target) => target !== undefined);
    const targets = [...textsAt(event, WAITING_FOR), ...said];
    const [by] = textsAt(event, HELD_BY);
    if (targets.length === 0 || waits.length >= WAITS_MAX) continue;
    const from = timeOf(event);
    const end = endOf(event, own, asOf);
    for (const target of new Set(targets)) {
      const colleague = own.find((other) => other.component_id === target && other.component_id !== event.component_id);
      if (colleague !== undefined) {
        const alone = own.filter(({ component_id }) => component_id === event.component_id);
        const waiting = { waiter: within(event), holder: within(colleague), resource: null };
        waits.push({ ...waiting, from, ...endOf(event, alone, asOf), event });
        continue;
      }
      const isHeld = !names.has(target);
      const holder = names.get(isHeld ? (by ?? '') : target) ?? (isHeld ? holders.get(target) : undefined);
      if (holder === undefined || holder === waiter) continue;
      waits.push({ waiter, holder, resource: isHeld ? target : null, from, ...end, event });
    }
  }
  return waits;
}

/** The first that its operation says after it, other than that it still waits. */
function endOf(event: DebugEvent, own: readonly DebugEvent[], asOf: bigint): Pick<Wait, 'until' | 'broke'> {
  if (event.span !== undefined) {
    const end = timeOf(event) + BigInt(Math.round((event.duration_ms ?? 0) * 1e6));
    return end > asOf ? { until: null, broke: false } : { until: end, broke: event.status === 'error' };
  }
  const isMoving = (next: DebugEvent) =>
    byTime(event, next) < 0 &&
    next.span === undefined &&
    textsAt(next, WAITING_FOR).length === 0 &&
    (isError(next) || !SAID.test(next.message.slice(0, WORDS_LENGTH_MAX)));
  const next = own.find(isMoving);
  return next === undefined ? { until: null, broke: false } : { until: timeOf(next), broke: isError(next) };
}

function circleFrom(start: Wait, byWaiter: ReadonlyMap<string, Wait[]>, asOf: bigint): Wait[] | null {
  const stack: Wait[][] = [[start]];
  let steps = 0;
  for (let path = stack.pop(); path !== undefined && steps < STEPS_MAX; path = stack.pop(), steps++) {
    const last = path.at(-1)!;
    if (last.holder === start.waiter) {
      if (isLasting(path, asOf)) return path;
      continue;
    }
    if (path.length === CIRCLE_MAX || path.some(({ waiter }) => waiter === last.holder)) continue;
    for (const next of byWaiter.get(last.holder) ?? []) stack.push([...path, next]);
  }
  return null;
}

function isLasting(circle: readonly Wait[], asOf: bigint): boolean {
  const closed = circle.reduce((latest, { from }) => (from > latest ? from : latest), 0n);
  const first = circle.reduce((a, b) => ((b.until ?? asOf) < (a.until ?? asOf) ? b : a));
  if (first.until === null) return closed <= asOf;
  return first.broke && first.until - closed >= LASTING_NANOS;
}

function nameOf(event: DebugEvent): string {
  return event.operation_id ?? event.correlation_id ?? componentKey(event);
}

/** A component's part of an operation. */
function within(event: DebugEvent): string {
  return `${componentKey(event)} in ${nameOf(event)}`;
}

function textsAt(event: DebugEvent, keys: readonly string[]): string[] {
  const texts: string[] = [];
  for (const key of keys) {
    if (!Object.hasOwn(event.data, key)) continue;
    const value = event.data[key];
    for (const each of Array.isArray(value) ? value : [value])
      if (typeof each === 'string' && each !== '') texts.push(each);
  }
  return texts;
}
