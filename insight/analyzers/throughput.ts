/**
 * A component that says far less than it does by its own history, while the others go on. Each of its last whole minutes lies below the
 * lowest quarter of its history by far more than Poisson's noise; where everything falls silent alike nobody is to blame (the load ended).
 * That it says more than usual is the anomaly analyzer's.
 */
import type { DebugEvent } from '../../model/event.ts';
import type { ComponentMinute } from '../../model/rollup.ts';
import { formatNanos, NANOS_PER_MINUTE } from '../../model/time.ts';
import type { Analyzer } from '../analyzer.ts';
import { confidenceOf, evidenceOf, type Finding, round, sampleSignal } from '../finding.ts';
import { ascending, normalBelow, quantile } from '../statistics.ts';
import { componentKey, type Window } from '../window.ts';

export const throughput: Analyzer = {
  name: 'throughput',
  needs: ['events', 'minutes'],
  analyze(window, budget) {
    const all = countsOf(window.componentMinutes);
    const findings: Finding[] = [];
    // The minute under way is not over, and the one before may still be coming in.
    const until = (window.asOf / NANOS_PER_MINUTE) * NANOS_PER_MINUTE - NANOS_PER_MINUTE;
    const recent = Array.from(
      { length: RECENT_MINUTES },
      (_, i) => until - BigInt(RECENT_MINUTES - i) * NANOS_PER_MINUTE,
    );
    const begins = recent[0]!;
    const everything = all.map((counts) => split(counts, minuteOf(begins)));
    const [usualOfAll, nowOfAll] = [sumOf(everything, 'usual'), sumOf(everything, 'now')];
    for (const [i, counts] of all.entries()) {
      budget.check();
      const own = everything[i]!;
      if (own.history.length < HISTORY_MIN || own.usual < USUAL_MIN) continue;
      const others = { usual: usualOfAll - own.usual, now: nowOfAll - own.now };
      // Alone there is no telling whether it fell silent or nobody asked.
      if (others.usual < USUAL_MIN || others.now < others.usual * OTHERS_MIN) continue;
      const low = quantile(ascending(own.history), 0.25);
      const expected = Math.min(low, own.usual) * RECENT_MINUTES;
      const spread = Math.sqrt(Math.max(expected, 1));
      const chance = normalBelow((own.now * RECENT_MINUTES - expected) / spread);
      if (own.now > own.usual * FALL_MAX || chance > CHANCE_MAX) continue;
      if (own.recent.some((count) => count > low * FALL_MAX)) continue;
      findings.push(fall(counts, own, begins, window));
    }
    return findings;
  },
};

const RECENT_MINUTES = 2;
const HISTORY_MIN = 10;
/** Records a minute; a component of fewer falls silent by chance. */
const USUAL_MIN = 10;
const FALL_MAX = 0.3;
const OTHERS_MIN = 0.7;
const CHANCE_MAX = 1e-5;

interface Counts {
  component: { type: string; id: string };
  /** By minutes since 1970: of a thousand components ninety minutes each, a bigint or a text as a key costs more than all else. */
  byMinute: Map<number, number>;
}

interface Rates {
  /** Counts of the whole minutes before, zeros between included. */
  history: number[];
  recent: number[];
  /** Records a minute. */
  usual: number;
  now: number;
}

function countsOf(rows: readonly ComponentMinute[]): Counts[] {
  const byType = new Map<string, Map<string, Counts>>();
  for (const { component_type: type, component_id: id, minute, total } of rows) {
    let byId = byType.get(type);
    if (byId === undefined) byType.set(type, (byId = new Map()));
    let counts = byId.get(id);
    if (counts === undefined) byId.set(id, (counts = { component: { type, id }, byMinute: new Map() }));
    const at = minuteOf(minute);
    counts.byMinute.set(at, (counts.byMinute.get(at) ?? 0) + total);
  }
  return [...byType.values()].flatMap((byId) => [...byId.values()]);
}

function minuteOf(nanos: bigint): number {
  return Number(nanos / NANOS_PER_MINUTE);
}

function split({ byMinute }: Counts, begins: number): Rates {
  const history: number[] = [];
  let first = begins;
  for (const minute of byMinute.keys()) if (minute < first) first = minute;
  for (let minute = first; minute < begins; minute++) history.push(byMinute.get(minute) ?? 0);
  const recent = Array.from({ length: RECENT_MINUTES }, (_, i) => byMinute.get(begins + i) ?? 0);
  return {
    history,
    recent,
    usual: history.length === 0 ? 0 : quantile(ascending(history), 0.5),
    now: recent.reduce((sum, count) => sum + count, 0) / RECENT_MINUTES,
  };
}

function sumOf(rates: readonly Rates[], of: 'usual' | 'now'): number {
  return rates.reduce((sum, each) => sum + each[of], 0);
}

function fall({ component }: Counts, { usual, now, history }: Rates, begins: bigint, window: Window): Finding {
  const name = componentKey(component);
  const [was, is] = [round(usual, 1), round(now, 1)];
  const last = window.events.findLast((event: DebugEvent) => componentKey(event) === name);
  const since = formatNanos(begins);
  const silent = now === 0;
  return {
    analyzer: throughput.name,
    what: 'throughput',
    where: component,
    insight_type: 'performance',
    severity: 'warning',
    title: silent ? `${name} fell silent` : `${name} does far less than usual: ${is} records a minute, not ${was}`,
    summary: `${name} has ${is} records a minute since ${since}; it usually has ${was}, and the others go on.`,
    description: `In the last ${RECENT_MINUTES} whole minutes ${name} had ${is} records a minute. In the ${history.length} minutes before it had ${was} (median). The others go on as before, so it is not the load that ended.`,
    components: [component],
    correlation_id: null,
    operation_id: null,
    evidence: evidenceOf(last === undefined ? [] : [last], {
      usual_per_minute: was,
      current_per_minute: is,
      minutes_before: history.length,
      since,
    }),
    confidence: confidenceOf([0.6, (1 - now / usual) / 2, sampleSignal(history.length, 30)]),
    times: [since],
    symptoms: [silent ? 'fell silent' : 'low throughput'],
    suggestions: [
      {
        action: `Check whether ${name} runs, and whether what is in front of it still sends it work`,
        why: 'a component that hangs, or gets no work any more, goes quiet before it fails',
        source: 'known_cause',
      },
    ],
  };
}
