/**
 * Clocks of different nodes disagree by milliseconds to seconds. A span that seems to run outside the span that called it is moved, with
 * everything below it on the same node, to the middle of its caller: the way there and back is taken to be equally long.
 * The rule is Jaeger's clock skew adjuster; work that is not waited for (consumers, spans longer than their parent) is only
 * kept from starting before its cause.
 */
import type { DebugEvent } from '../model/event.ts';
import type { TraceSpan } from '../model/trace.ts';

export interface TimedSpan extends TraceSpan {
  event: DebugEvent;
}

/** @returns the spans in the order given, those that were moved as copies */
export function alignClocks(spans: readonly TimedSpan[]): TimedSpan[] {
  const byId = new Map<string, TimedSpan>();
  for (const span of spans) if (!byId.has(span.span_id)) byId.set(span.span_id, span);
  const shifts = new Map<TimedSpan, bigint>();

  // Parents first, without recursion: a chain of calls may be deeper than the engine's stack.
  for (const span of spans) {
    const path: TimedSpan[] = [];
    const walked = new Set<TimedSpan>();
    for (
      let at: TimedSpan | undefined = span;
      at !== undefined && !shifts.has(at) && !walked.has(at);
      at = parentOf(at)
    ) {
      walked.add(at);
      path.push(at);
    }
    for (let at = path.pop(); at !== undefined; at = path.pop()) {
      const parent = parentOf(at);
      shifts.set(at, parent === undefined || parent === at ? 0n : shiftOf(at, parent, shifts.get(parent) ?? 0n));
    }
  }
  return spans.map((span) => {
    const shift = shifts.get(span)!;
    return shift === 0n ? span : { ...span, start: span.start + shift, end: span.end + shift };
  });

  function parentOf(span: TimedSpan): TimedSpan | undefined {
    return span.parent_span_id === null ? undefined : byId.get(span.parent_span_id);
  }
}

function shiftOf(child: TimedSpan, parent: TimedSpan, parentShift: bigint): bigint {
  if (nodeOf(child) === nodeOf(parent)) return parentShift;
  const start = parent.start + parentShift;
  const end = parent.end + parentShift;
  const slack = end - start - (child.end - child.start);
  if (slack < 0n || child.event.span?.kind === 'consumer') return child.start < start ? start - child.start : 0n;
  if (child.start >= start && child.end <= end) return 0n;
  return start + slack / 2n - child.start;
}

/** What shares a clock, as far as we know. */
function nodeOf({ event }: TimedSpan): string {
  return `${event.component_type}/${event.component_id}/${event.node_id ?? ''}`;
}
