/**
 * Log templates that appear, vanish or surge against the time before the window, and of a long window in its last quarter of an hour against
 * what came before that. New is what a component that has been listened to for long enough had never said; how much that means
 * depends on how often it says something new anyway (Good, 1953).
 */
import type { ComponentRef } from '../../model/block.ts';
import { SEVERITY_ERROR } from '../../model/event.ts';
import type { Severity } from '../../model/insight.ts';
import type { TemplateMinute } from '../../model/rollup.ts';
import { formatNanos, NANOS_PER_MINUTE } from '../../model/time.ts';
import type { Analyzer } from '../analyzer.ts';
import { chanceOfCount } from '../anomaly/counts.ts';
import { confidenceOf, type Finding, round, sampleSignal } from '../finding.ts';
import { componentKey, type Window } from '../window.ts';

export const templateChange: Analyzer = {
  name: 'template-change',
  needs: ['minutes'],
  analyze(window, budget) {
    const rows = window.templateHistory.filter(({ minute }) => minute <= window.asOf);
    const findings = new Map<string, Finding>();
    for (const start of startsOf(window)) {
      for (const own of Map.groupBy(rows, componentOfRow).values()) {
        budget.check();
        const said = saidBy(own, start);
        if (said === null) continue;
        const changes = [...said.templates].flatMap(([id, template]) => changeOf(id, template, said) ?? []);
        changes.sort((a, b) => b.weight - a.weight);
        for (const change of changes.slice(0, CHANGES_MAX)) {
          const finding = changeFinding(change, said, window);
          const key = `${finding.what} ${componentKey(finding.where)}`;
          if (!findings.has(key)) findings.set(key, finding);
        }
      }
    }
    return [...findings.values()];
  },
};

/** From when on it is now. */
function startsOf({ scope: { start }, asOf }: Window): bigint[] {
  const recent = asOf - RECENT_NANOS;
  return start === undefined ? [recent] : start < recent ? [start, recent] : [start];
}

const RECENT_NANOS = 15n * NANOS_PER_MINUTE;

/** So long a component must have been heard, and so many records, before silence about something means anything. */
const MINUTES_BEFORE_MIN = 10;
const RECORDS_BEFORE_MIN = 50;
const NEW_MIN = 3;
const SURGE_RATIO_MIN = 3;
const SURGE_MIN = 10;
const CHANCE_MAX = 1e-4;
/** A template is steady when it was said in most minutes. */
const STEADY_SHARE = 0.8;
const CHANGES_MAX = 5;

interface Said {
  component: ComponentRef;
  /** Minutes in which the component said anything. */
  minutesBefore: number;
  minutesNow: number;
  /** The chance that the next record before the window would have been one never said. */
  novelty: number;
  templates: Map<string, { before: TemplateMinute[]; now: TemplateMinute[] }>;
}

interface Change {
  kind: 'new' | 'gone' | 'surging';
  id: string;
  rows: readonly TemplateMinute[];
  count: number;
  /** How many were to be expected in the window. */
  expected: number;
  signal: number;
  weight: number;
}

function saidBy(rows: readonly TemplateMinute[], start: bigint): Said | null {
  const templates = new Map<string, { before: TemplateMinute[]; now: TemplateMinute[] }>();
  const [before, now] = [new Set<bigint>(), new Set<bigint>()];
  let records = 0;
  for (const row of rows) {
    let template = templates.get(row.template_id);
    if (template === undefined) templates.set(row.template_id, (template = { before: [], now: [] }));
    const isBefore = row.first_time < start;
    (isBefore ? template.before : template.now).push(row);
    (isBefore ? before : now).add(row.minute);
    if (isBefore) records += row.count;
  }
  if (before.size < MINUTES_BEFORE_MIN || records < RECORDS_BEFORE_MIN || now.size === 0) return null;
  const once = [...templates.values()].filter(({ before }) => before.length === 1 && before[0]!.count === 1).length;
  const { component_type: type, component_id: id } = rows[0]!;
  return {
    component: { type, id },
    minutesBefore: before.size,
    minutesNow: now.size,
    novelty: once / records,
    templates,
  };
}

function changeOf(
  id: string,
  { before, now }: { before: TemplateMinute[]; now: TemplateMinute[] },
  said: Said,
): Change | null {
  const count = sumOf(now);
  const counts = [...sumByMinute(before), ...Array<number>(said.minutesBefore).fill(0)].slice(0, said.minutesBefore);
  const expected = (sumOf(before) / said.minutesBefore) * said.minutesNow;
  if (before.length === 0) {
    if (count < NEW_MIN) return null;
    return {
      kind: 'new',
      id,
      rows: now,
      count,
      expected: 0,
      signal: 1 - Math.min(said.novelty * 20, 1),
      weight: count,
    };
  }
  const steady = counts.filter((each) => each > 0).length / said.minutesBefore;
  if (count === 0) {
    const chance = (1 - steady + 1 / (said.minutesBefore + 2)) ** said.minutesNow;
    if (steady < STEADY_SHARE || said.minutesNow < 2 || chance > CHANCE_MAX * 10) return null;
    return { kind: 'gone', id, rows: before, count, expected, signal: 1 - chance, weight: expected };
  }
  const busiest = sumByMinute(now).reduce((a, b) => Math.max(a, b), 0);
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  if (busiest < SURGE_MIN || busiest < most * SURGE_RATIO_MIN) return null;
  const chance = chanceOfCount(busiest, counts);
  if (chance > CHANCE_MAX) return null;
  return { kind: 'surging', id, rows: now, count, expected, signal: 1 - chance, weight: busiest / Math.max(most, 1) };
}

const KINDS = {
  new: { says: 'says something new', signal: 'never in the minutes before' },
  gone: { says: 'no longer says', signal: 'not once in the window' },
  surging: { says: 'says far more often', signal: 'more than ever before' },
} as const;

function changeFinding(change: Change, said: Said, window: Window): Finding {
  const { kind, id, rows, count, expected, signal } = change;
  const name = componentKey(said.component);
  const text = window.templateTexts.get(id) ?? id;
  const numbers = {
    change: kind,
    template_id: id,
    template: text,
    count,
    expected: round(expected, 1),
    minutes_before: said.minutesBefore,
    minutes_in_window: said.minutesNow,
    novelty: round(said.novelty, 4),
  };
  const examples = rows.slice(-20).map((row) => row.example_event_id);
  return {
    analyzer: templateChange.name,
    what: `${kind} ${id}`,
    where: said.component,
    insight_type: 'anomaly',
    severity: severityOf(change),
    title: `${name} ${KINDS[kind].says}: ${text}`,
    summary: `"${text}" of ${name}: ${count} times in the window, ${round(expected, 1)} expected, ${KINDS[kind].signal}.`,
    description: `${name} was heard in ${said.minutesBefore} minutes before the window and in ${said.minutesNow} of it. "${text}" came ${count} times; by its rate before, ${round(expected, 1)} were to be expected.`,
    components: [said.component],
    correlation_id: null,
    operation_id: null,
    evidence: { event_ids: [...new Set(examples)], span_ids: [], trace_ids: [], snapshot_ids: [], numbers },
    confidence: confidenceOf([signal * 0.7, sampleSignal(said.minutesBefore, 20) * signal], window.coverage),
    times: rows.map((row) => formatNanos(row.first_time)).sort(),
    symptoms: [text],
  };
}

/** What is new or louder matters by how bad it says it is; that something is not said any more is for the reader to judge. */
function severityOf({ kind, rows }: Change): Severity {
  const worst = Math.max(...rows.map((row) => row.severity_max));
  return kind !== 'gone' && worst >= SEVERITY_ERROR ? 'warning' : 'info';
}

function componentOfRow(row: TemplateMinute): string {
  return componentKey({ type: row.component_type, id: row.component_id });
}

function sumOf(rows: readonly TemplateMinute[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0);
}

function sumByMinute(rows: readonly TemplateMinute[]): number[] {
  return [...Map.groupBy(rows, ({ minute }) => minute).values()].map(sumOf);
}
