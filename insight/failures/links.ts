/**
 * What ties failures together where neither a call tree nor a parent event does: that an error names another component, and span links.
 */
import type { DebugEvent } from '../../model/event.ts';
import { textAt } from '../event-facts.ts';
import { byTime, componentKey, type SpanNode, type Trace, timeOf } from '../window.ts';

/** Clocks of nodes differ by up to a second without anybody noticing: an error may have been caused by one that looks so much later. */
const SKEW_NANOS_MAX = 1_000_000_000n;

/**
 * Who complains of whom: from the earliest of some errors along the components that they name, to the one that names none that failed.
 * `cannot reach inventory` of the orders points to what inventory said, also where its clock is behind.
 * @param errors by time, of one operation  @returns from the one that names nobody (the origin) to the first that complained
 */
export function namedChain(errors: readonly DebugEvent[]): DebugEvent[] {
  const firstOf = new Map<string, DebugEvent>();
  const ids = new Map<string, string>();
  for (const error of errors) {
    const key = componentKey(error);
    if (firstOf.has(key)) continue;
    firstOf.set(key, error);
    if (error.component_id.length >= NAME_LENGTH_MIN) ids.set(error.component_id.toLowerCase(), key);
  }
  const chain = [errors[0]!];
  const walked = new Set([componentKey(errors[0]!)]);
  for (let at = errors[0]!; ; ) {
    const named = [...namesIn(at)].map((name) => ids.get(name)).find((key) => key !== undefined && !walked.has(key));
    const next = named === undefined ? undefined : firstOf.get(named);
    if (next === undefined || timeOf(next) > timeOf(at) + SKEW_NANOS_MAX) return chain.reverse();
    walked.add(named!);
    chain.push(next);
    at = next;
  }
}

const NAME_LENGTH_MIN = 2;
const MESSAGE_CHARS_MAX = 2000;
const CALLED = [
  'peer.service',
  'server.address',
  'net.peer.name',
  'rpc.service',
  'messaging.destination.name',
  'db.name',
];

/** Words as components are named: letters, digits, and the marks between them. */
function* namesIn(event: DebugEvent): Generator<string> {
  for (const key of CALLED) {
    const called = textAt(event, key)?.toLowerCase();
    if (called !== undefined) yield called;
  }
  for (const [word] of event.message
    .slice(0, MESSAGE_CHARS_MAX)
    .toLowerCase()
    .matchAll(/[\p{L}\p{N}]+(?:[._-][\p{L}\p{N}]+)*/gu))
    yield word;
}

/**
 * Failures of traces that began because of another trace (a message, a job) and failed after it had: one failure.
 * @param join what becomes of the earlier one and of the one that followed from it
 */
export function joinLinked<F extends Linkable>(
  failures: readonly F[],
  traces: ReadonlyMap<string, Trace>,
  join: (cause: F, effect: F) => F,
): F[] {
  const ofTrace = new Map<string, F>();
  for (const failure of failures) {
    const trace = failure.chain[0]!.trace_id;
    if (trace !== null && !ofTrace.has(trace)) ofTrace.set(trace, failure);
  }
  const joined = new Map<F, F>();
  for (const failure of [...failures].sort((a, b) => byTime(a.origin, b.origin))) {
    const linked = linksAbove(failure.chain[0]!, traces).map((trace) => ofTrace.get(trace));
    const cause = linked.find(
      (each) => each !== undefined && each !== failure && byTime(each.origin, failure.origin) < 0,
    );
    if (cause === undefined) joined.set(failure, failure);
    else {
      const root = joined.get(cause) ?? cause;
      const into = join(root, failure);
      for (const [key, value] of joined) if (value === root) joined.set(key, into);
      joined.set(failure, into);
    }
  }
  return [...new Set(joined.values())];
}

/** What failed first, and the way to it from what was seen (first). */
interface Linkable {
  origin: DebugEvent;
  chain: readonly DebugEvent[];
}

/** Traces that the spans from this event's up to its root are linked to. */
function linksAbove(event: DebugEvent, traces: ReadonlyMap<string, Trace>): string[] {
  const links: string[] = [];
  const node = event.span_id === null ? undefined : traces.get(event.trace_id ?? '')?.byId.get(event.span_id);
  for (let at: SpanNode | null | undefined = node; at; at = at.parent)
    for (const { trace_id } of at.span.event.span?.links ?? []) if (trace_id !== event.trace_id) links.push(trace_id);
  return links;
}
