/** What is slow: by the durations of spans, the slowest component or the slowest step first. */
import type { ComponentRef } from '../../../model/block.ts';
import type { DebugEvent } from '../../../model/event.ts';
import { clockTime, insightItem, listed, millis, percent, plural, pressingFirst, refName } from '../../agent/say.ts';
import { nameOf, quote } from '../../budget.ts';
import type { Performance } from '../../health.ts';
import type { SpanNodeView } from '../../traces.ts';
import { orNone } from '../known.ts';
import {
  type Answerer,
  type Asking,
  heldTime,
  isOf,
  nothingOf,
  type Reply,
  say,
  sureOf,
  toolName,
  whichOf,
} from '../reply.ts';
import type { Saying } from '../sayings.ts';
import { refsOf } from './complaints.ts';

export const slow: Answerer = async (asking) => {
  const { components, ids, known, except, said } = asking.understood;
  if (ids[0] !== undefined) return ofOperation(asking, ids[0].id, ids[0].kind);
  if (said?.kind === 'span') return ofSpans(asking, said);
  const others = known.filter((ref) => !isOf(except, ref)).slice(0, COMPONENTS_MAX);
  return ofComponents(asking, components.length > 0 ? components : others, components);
};

// Each costs one read of its minutes.
const COMPONENTS_MAX = 50;
const SPANS_MAX = 500;

async function ofComponents(
  asking: Asking,
  refs: readonly ComponentRef[],
  named: readonly ComponentRef[],
): Promise<Reply> {
  const { facts, tenant } = asking;
  const held = await heldTime(asking, named.length === 1 ? named[0] : undefined);
  const what = named.length > 0 ? named.map(refName).join(' and ') : 'anything';
  if (held.empty !== null) return nothingOf(what, held);
  const answers = await Promise.all(refs.map((ref) => facts.performance(tenant, { ...whichOf(ref), ...held.range })));
  const timed = answers.filter(({ data }) => data.p95_ms !== null).sort((a, b) => b.data.p95_ms! - a.data.p95_ms!);
  const metas = answers.map(({ meta }) => meta);
  const rank = named.length === 0 ? rankAsked(asking.understood.words) : 0;
  const slowest = timed[Math.min(rank, timed.length - 1)]?.data;
  if (slowest === undefined)
    return {
      sentences: [say(`No spans of ${what} ${held.words}, so nothing is known of how long anything takes.`)],
      confidence: 0,
      coverage: ['not instrumented for traces, or not sampled: there are events but no spans'],
      next: [{ tool: 'health', arguments: {} }],
      metas,
    };
  const ref = { type: slowest.component_type, id: slowest.component_id };
  const { data: spans } = await facts.events(tenant, {
    ...whichOf(ref),
    ...held.range,
    event_type: ['span'],
    limit: SPANS_MAX,
  });
  const worst = slowestStep(spans);
  const inside =
    worst?.slowest.trace_id == null ? null : await mostOf(asking, worst.slowest.trace_id, worst.slowest.id);
  const insights = slowest.insights.toSorted(pressingFirst(metas[0]!.as_of));
  const sentences = [
    say(
      `${refName(ref)} ${named.length === 1 ? 'takes' : `is the ${rank > 0 && rank < timed.length ? `${RANKS[rank]} ` : ''}slowest:`} ${millis(slowest.p50_ms!)} at the median, ${millis(slowest.p95_ms!)} at p95, ${millis(slowest.p99_ms!)} at p99 over ${plural(slowest.sample_count, 'span')} ${held.words}.`,
      worst?.slowest.id,
    ),
    ...(worst === null
      ? []
      : [
          say(
            `Its slowest step is ${quote(worst.name, 80)}, up to ${millis(worst.slowest.duration_ms ?? 0)}${worst.slowest.correlation_id === null ? '' : ` in ${nameOf(worst.slowest.correlation_id)}`}.`,
            worst.slowest.id,
          ),
        ]),
    // Whoever waits for another is slow as well, and not the one to look at.
    ...(inside === null || inside.event_id === worst?.slowest.id
      ? []
      : [
          say(
            `Most of that, ${millis(inside.critical_path_ms)}, is ${quote(inside.name, 80)} of ${whoseSpan(inside)}.`,
            inside.event_id,
          ),
        ]),
    ...(insights[0] === undefined ? [] : [say(`Open insight: ${quote(insights[0].title, 200)}.`, insights[0].id)]),
    ...(held.note === null ? [] : [say(held.note)]),
  ];
  return {
    sentences,
    confidence: sureOf(slowest.sample_count),
    mentioned: timed.map(({ data: { component_type: type, component_id: id } }) => ({ type, id })),
    suggestions: insights[0] === undefined ? [] : (await facts.insight(tenant, insights[0].id)).data.suggestions,
    lists: [
      { name: 'components', items: timed.map(({ data }) => ({ forms: [wordsOf(data)] })) },
      { name: 'insights', items: insights.map((insight) => insightItem(insight, metas[0]!.as_of)) },
    ],
    next: [
      ...(worst?.slowest.trace_id ? [{ tool: 'trace', arguments: { id: worst.slowest.trace_id } }] : []),
      { tool: 'compare', arguments: { component: toolName(ref) } },
    ],
    metas,
  };
}

/** "The second slowest". */
function rankAsked(words: readonly string[]): number {
  const rank = words.findIndex((word, i) => RANKS.includes(word) && /est$|^most$/.test(words[i + 1] ?? ''));
  return Math.max(0, RANKS.indexOf(words[rank] ?? ''));
}

const RANKS = ['first', 'second', 'third', 'fourth', 'fifth'];

/** How long spans of one name take, and how many of them fail. */
async function ofSpans(asking: Asking, { text, components }: Saying): Promise<Reply> {
  const { facts, tenant, understood } = asking;
  const ref = understood.components[0] ?? (components.length === 1 ? components[0] : undefined);
  const held = await heldTime(asking, ref);
  if (held.empty !== null) return nothingOf(`spans ${quote(text, 80)}`, held);
  const filter = { ...held.range, ...(ref !== undefined && whichOf(ref)), q: text, limit: 1000 };
  const found = await facts.events(tenant, { ...filter, event_type: ['span', 'error'] });
  const spans = found.data.filter(({ name, duration_ms }) => name === text && duration_ms != null);
  const { meta } = found;
  if (spans.length === 0)
    return {
      sentences: [
        say(`No span ${quote(text, 80)} ended ${held.words}.`),
        ...(held.note === null ? [] : [say(held.note)]),
      ],
      confidence: 0.6,
      next: [{ tool: 'search', arguments: { q: quote(text, 80) } }],
      metas: [meta],
    };
  const ranked = spans.toSorted((a, b) => a.duration_ms! - b.duration_ms!);
  const at = (share: number) => millis(ranked[Math.ceil(share * ranked.length) - 1]!.duration_ms!);
  const slowest = ranked.at(-1)!;
  const failed = spans.filter(({ status }) => status === 'error');
  const inside = slowest.trace_id == null ? null : await mostOf(asking, slowest.trace_id, slowest.id);
  const whose = refsOf(spans);
  return {
    sentences: [
      say(
        `${quote(text, 80)} of ${listed(whose.map(refName))} takes ${at(0.5)} at the median, ${at(0.95)} at p95, ${at(0.99)} at p99 over ${meta.truncated ? 'the newest ' : ''}${plural(spans.length, 'span')} ${held.words}.`,
        slowest.id,
      ),
      ...(failed[0] === undefined
        ? [say('None of them failed.')]
        : [
            say(
              `${failed.length} of them failed (${percent(failed.length / spans.length)}), the newest at ${clockTime(failed[0].timestamp, meta.as_of)}.`,
              failed[0].id,
            ),
          ]),
      ...(inside === null || inside.event_id === slowest.id
        ? []
        : [
            say(
              `Most of the slowest, ${millis(inside.critical_path_ms)} of ${millis(slowest.duration_ms!)}, is ${quote(inside.name, 80)} of ${whoseSpan(inside)}.`,
              inside.event_id,
            ),
          ]),
      ...(held.note === null ? [] : [say(held.note)]),
    ],
    confidence: sureOf(spans.length),
    mentioned: whose,
    next: [
      ...(failed[0] === undefined ? [] : [{ tool: 'explain', arguments: { id: failed[0].id } }]),
      ...(slowest.trace_id == null ? [] : [{ tool: 'trace', arguments: { id: slowest.trace_id } }]),
    ],
    metas: [meta],
  };
}

function wordsOf({ component_type: type, component_id: id, p50_ms, p95_ms, sample_count }: Performance): string {
  return `${refName({ type, id })}: p50 ${millis(p50_ms!)}, p95 ${millis(p95_ms!)} of ${plural(sample_count, 'span')}`;
}

/** The span that most of the time of another went to, among those under it, by the critical path; null where the trace says nothing. */
async function mostOf({ facts, tenant }: Asking, traceId: string, eventId: string): Promise<SpanNodeView | null> {
  const spans = (await orNone(facts.trace(tenant, traceId)))?.data.spans ?? [];
  const under = new Set<string>();
  const add = (spanId: string) => {
    if (under.has(spanId)) return;
    under.add(spanId);
    for (const child of spans.find(({ span_id }) => span_id === spanId)?.children ?? []) add(child);
  };
  const top = spans.find(({ event_id }) => event_id === eventId);
  if (top !== undefined) add(top.span_id);
  const [most] = spans
    .filter(({ span_id }) => under.has(span_id))
    .sort((a, b) => b.critical_path_ms - a.critical_path_ms);
  return most === undefined || most.critical_path_ms === 0 ? null : most;
}

const whoseSpan = ({ component_type: type, component_id: id }: SpanNodeView) => refName({ type, id });

/** By the longest that each name took: means hide what people wait for. */
function slowestStep(spans: readonly DebugEvent[]): { name: string; slowest: DebugEvent } | null {
  const slowest = spans.reduce<DebugEvent | null>(
    (most, span) => ((span.duration_ms ?? 0) > (most?.duration_ms ?? -1) ? span : most),
    null,
  );
  return slowest === null ? null : { name: slowest.name ?? '', slowest };
}

/** Where the time of one operation went: along its critical path. */
async function ofOperation(asking: Asking, id: string, kind: string): Promise<Reply> {
  const { facts, tenant } = asking;
  const filter =
    kind === 'trace' ? { trace_id: id } : kind === 'operation' ? { operation_id: id } : { correlation_id: id };
  const some = await facts.events(tenant, { ...filter, event_type: ['span'], limit: 1 });
  const trace = some.data[0]?.trace_id;
  const found = trace == null ? null : await orNone(facts.trace(tenant, trace));
  if (found === null || found.data.spans.length === 0)
    return {
      sentences: [say(`There are no spans of ${nameOf(id)}, so nothing is known of where its time went.`)],
      confidence: 0,
      next: [{ tool: 'trace', arguments: { id } }],
      metas: [some.meta],
    };
  const { spans, duration_ms, trace_id } = found.data;
  const ranked = spans.toSorted((a, b) => b.critical_path_ms - a.critical_path_ms);
  const top = ranked[0]!;
  const share = duration_ms === 0 ? 1 : top.critical_path_ms / duration_ms;
  return {
    sentences: [
      say(
        `${whoseSpan(top)} took most of it: ${quote(top.name, 80)} is ${millis(top.critical_path_ms)} (${Math.round(100 * share)}%) of ${millis(duration_ms)}.`,
        top.event_id,
      ),
    ],
    confidence: found.data.incomplete ? 0.6 : 0.9,
    lists: [
      {
        name: 'critical_path',
        items: ranked
          .filter(({ critical_path_ms }) => critical_path_ms > 0)
          .map((span) => ({ forms: [`${whoseSpan(span)} ${quote(span.name, 80)} ${millis(span.critical_path_ms)}`] })),
      },
    ],
    next: [{ tool: 'trace', arguments: { id: trace_id } }],
    metas: [found.meta],
  };
}
