/** Log patterns: what is said, how often, by whom, and which of it is an error, from counts per template and minute. */
import { type ComponentRef, SIGNALS } from '../model/block.ts';
import { type DebugEvent, type Level, levelOf, SEVERITY_ERROR } from '../model/event.ts';
import { eventId } from '../model/ids.ts';
import type { Template } from '../model/rollup.ts';
import { currentTemplates } from '../model/template.ts';
import { formatNanos, minuteOf, NANOS_PER_DAY, parseNanos } from '../model/time.ts';
import type { TemplateSum, TemplateWindow } from '../storage/contract.ts';
import type { ColumnQuery } from '../storage/query.ts';
import { type Answer, beginReading, readAll } from './answer.ts';
import { COUNTED_TYPES } from './counts.ts';
import type { QueryNeeds } from './needs.ts';
import { parseWindow, type TimeRangeInput, type Window } from './params.ts';

export interface PatternsRequest extends TimeRangeInput {
  /** 1 to 1000. */
  limit: number;
}

export interface TemplateView {
  /** Null for failed spans and messages that are empty: there is no text to mine. */
  template_id: string | null;
  /** The constant part of the messages; a span's name where a span failed without a word; null for no text at all. */
  template: string | null;
  count: number;
  /** The highest seen. */
  level: Level | null;
  first_seen: string;
  last_seen: string;
  components: ComponentRef[];
  example_event_id: string;
}

export interface ErrorPattern extends TemplateView {
  /** The later half of the window against the earlier one; `steady` unless the difference is beyond chance. */
  trend: 'rising' | 'falling' | 'steady';
  /** Not seen in the day before the window. */
  new: boolean;
}

export interface PatternAnswers {
  /** Most frequent first. */
  templates(tenant: string, request: PatternsRequest): Promise<Answer<TemplateView[]>>;
  errorPatterns(tenant: string, request: PatternsRequest): Promise<Answer<ErrorPattern[]>>;
}

export function createPatternAnswers(needs: QueryNeeds): PatternAnswers {
  const { rows } = needs;
  return {
    async templates(tenant, request) {
      const reading = await beginReading(needs);
      const window = parseWindow(request, reading.now);
      const patterns = mostFrequent(await minedIn(tenant, { ...window, middle: window.end }));
      const shown = patterns.slice(0, request.limit);
      return reading.answer(shown.map(viewOf), { truncated: patterns.length > shown.length });
    },

    async errorPatterns(tenant, request) {
      const reading = await beginReading(needs);
      const window = parseWindow(request, reading.now);
      const middle = (window.start + (window.end < reading.now ? window.end : reading.now)) / 2n;
      const mined = await minedIn(tenant, { ...window, middle, errors: true });
      const wordless = await wordlessErrors(tenant, window, middle);
      const patterns = mostFrequent([...mined, ...wordless.patterns]);
      const shown = patterns.slice(0, request.limit);
      const known = await seenBefore(tenant, shown, window);
      const views = shown.map((pattern): ErrorPattern => {
        // Of what has no template no counts are kept, so nothing is claimed.
        const isNew = pattern.template_id !== null && !pattern.ids.some((id) => known.has(id));
        return { ...viewOf(pattern), trend: trendOf(pattern), new: isNew };
      });
      return reading.answer(views, {
        truncated: patterns.length > shown.length || wordless.truncated,
        coverage: { tiers: wordless.tiers },
      });
    },
  };

  async function minedIn(tenant: string, window: TemplateWindow): Promise<Pattern[]> {
    const sums = await rows.templateSums(tenant, window);
    const current = await templatesNow(tenant, [...new Set(sums.map((row) => row.template_id))]);
    return [...Map.groupBy(sums, (row) => current.get(row.template_id)?.id ?? row.template_id)].map(([id, group]) =>
      minedPattern(id, current.get(group[0]!.template_id)?.text ?? null, group),
    );
  }

  /** Errors without a template: failed spans of traces where nothing else tells of the failure, and empty messages. */
  async function wordlessErrors(tenant: string, window: Window, middle: bigint) {
    const sums = await rows.componentSums(tenant, { start: minuteOf(window.start), end: window.end });
    if (sums.every(({ untold }) => untold === 0)) return { patterns: [], truncated: false, tiers: [] };
    const query = { tenant, ...window, min_level: 'ERROR', event_types: COUNTED_TYPES } as const;
    const untold = await untoldErrors(query);
    const { events, truncated, tiers } = untold ?? (await readAll(needs.events, query, WORDLESS_EVENTS_MAX));
    const tellingTraces = new Set(events.filter((event) => event.template_id !== null).map((event) => event.trace_id));
    tellingTraces.delete(null);
    const wordless = events.filter(({ template_id, span, trace_id }) => {
      return template_id === null && !(span !== undefined && tellingTraces.has(trace_id));
    });
    const patterns = [...Map.groupBy(wordless, (event) => event.message)].map(([text, group]) =>
      eventPattern(text, group, middle),
    );
    return { patterns, truncated, tiers };
  }

  /**
   * By columns alone, those that {@link wordlessErrors} would find: where failures are logged nearly none is left to be decoded. Null where
   * there are many.
   */
  async function untoldErrors(query: ColumnQuery): Promise<Awaited<ReturnType<typeof readAll>> | null> {
    const telling = new Set<string>();
    const mute: { id: string; trace: string | null; isSpan: boolean }[] = [];
    let seen = 0;
    const tiers = await needs.events.scan(query, ({ header, columns }, i) => {
      if (seen++ === WORDLESS_EVENTS_MAX) return false;
      const trace = columns.trace[i] === 0 ? null : header.traces[columns.trace[i]! - 1]!;
      const isSpan = columns.signal[i] === SPAN && columns.part[i] === 0;
      if (columns.template[i] === 0) mute.push({ id: eventId(columns.time[i]!, columns.hash[i]!), trace, isSpan });
      else if (trace !== null) telling.add(trace);
      return undefined;
    });
    const untold = mute.filter(({ trace, isSpan }) => !(isSpan && trace !== null && telling.has(trace)));
    if (untold.length > UNTOLD_MAX) return null;
    const found = await Promise.all(untold.map(({ id }) => needs.events.event(query.tenant, id)));
    const events = found.flatMap((one) => one?.event ?? []).sort((a, b) => (a.id < b.id ? 1 : -1));
    return { events, truncated: seen > WORDLESS_EVENTS_MAX, tiers };
  }

  /** Records keep the id that they were given; what it stands for now may be more general. */
  function templatesNow(tenant: string, ids: readonly string[]): Promise<Map<string, Template>> {
    return currentTemplates(ids, (some) => rows.templates(tenant, some));
  }

  /** Templates of these with a record in the day before the window. */
  async function seenBefore(tenant: string, patterns: readonly Pattern[], { start }: Window): Promise<Set<string>> {
    const dayBefore = { start: start > NANOS_PER_DAY ? start - NANOS_PER_DAY : 0n, end: start };
    return new Set(
      await rows.templatesSeen(
        tenant,
        patterns.flatMap(({ ids }) => ids),
        dayBefore,
      ),
    );
  }
}

// They are looked for only where counts say that there are some; reading them takes some 20 ms.
const WORDLESS_EVENTS_MAX = 2000;
// One by one they cost as much as a page of a hundred together.
const UNTOLD_MAX = 16;
const SPAN = SIGNALS.indexOf('span');

interface Pattern {
  template_id: string | null;
  template: string | null;
  /** Under which its records were counted: its own, and those of templates that became part of it. */
  ids: readonly string[];
  count: number;
  severity: number;
  first: bigint;
  last: bigint;
  components: Map<string, ComponentRef>;
  example_event_id: string;
  /** Of `count`, in the earlier half of the window. */
  earlier: number;
}

function minedPattern(template_id: string, template: string | null, rows: readonly TemplateSum[]): Pattern {
  const latest = rows.reduce((a, b) => (b.last_time > a.last_time ? b : a));
  return {
    template_id,
    template,
    ids: [...new Set([template_id, ...rows.map((row) => row.template_id)])],
    count: rows.reduce((sum, row) => sum + row.count, 0),
    severity: Math.max(...rows.map((row) => row.severity_max)),
    first: rows.reduce((least, row) => (row.first_time < least ? row.first_time : least), rows[0]!.first_time),
    last: latest.last_time,
    components: componentsOf(rows),
    example_event_id: latest.example_event_id,
    earlier: rows.reduce((sum, row) => sum + row.earlier, 0),
  };
}

/** @param events newest first, at least one */
function eventPattern(text: string, events: readonly DebugEvent[], middle: bigint): Pattern {
  const times = events.map(({ timestamp }) => parseNanos(timestamp)!);
  return {
    template_id: null,
    template: text === '' ? null : text,
    ids: [],
    count: events.length,
    severity: SEVERITY_ERROR,
    first: times.at(-1)!,
    last: times[0]!,
    components: componentsOf(events),
    example_event_id: events[0]!.id,
    earlier: times.filter((time) => time < middle).length,
  };
}

function componentsOf(of: readonly { component_type: string; component_id: string }[]): Map<string, ComponentRef> {
  return new Map(of.map(({ component_type: type, component_id: id }) => [`${type}\0${id}`, { type, id }]));
}

function mostFrequent(patterns: readonly Pattern[]): Pattern[] {
  return patterns.toSorted((a, b) => b.count - a.count || (a.last < b.last ? 1 : a.last > b.last ? -1 : 0));
}

function viewOf(pattern: Pattern): TemplateView {
  const { template_id, template, count, severity, first, last, components, example_event_id } = pattern;
  return {
    template_id,
    template,
    count,
    level: levelOf(severity),
    first_seen: formatNanos(first),
    last_seen: formatNanos(last),
    components: [...components.values()],
    example_event_id,
  };
}

/** Two Poisson counts over equal times, normal approximation (Przyborowski and Wilenski, 1940), two sigma. */
function trendOf({ count, earlier }: Pattern): ErrorPattern['trend'] {
  const sigmas = (count - 2 * earlier) / Math.sqrt(count);
  return sigmas > 2 ? 'rising' : sigmas < -2 ? 'falling' : 'steady';
}
