/**
 * What failed in healthy times too. Errors of a kind that the baseline knows, from whichever component and about whichever other, are
 * no news unless there are more of them now; a component that departs from its path with nothing but such errors is not to blame.
 */
import type { DebugEvent } from '../../model/event.ts';
import { isError, patternOf } from '../event-facts.ts';
import { shareAtLeast, shareAtMost } from './bounds.ts';
import type { Call, Calls } from './calls.ts';

export interface Background {
  /** How far what the call's component said went wrong in this trace is news, 0 to 1; 1 when it said nothing. */
  novelty(call: Call): number;
  /** Of one error of no trace. */
  noveltyOf(error: DebugEvent): number;
}

const CONFIDENCE = 0.95;

export function knownFailures(window: Calls, baseline: Calls): Background {
  const kindOf = failureKinds([window, baseline]);
  const before = tracesByKind(baseline, kindOf);
  const now = tracesByKind(window, kindOf);
  const newsOf = new Map<string, number>();
  for (const [kind, count] of now.kinds) {
    const healthy = before.kinds.get(kind) ?? 0;
    const share = shareAtLeast(count, window.traces.size, CONFIDENCE);
    newsOf.set(
      kind,
      healthy === 0 ? 1 : Math.max(0, 1 - shareAtMost(healthy, baseline.traces.size, CONFIDENCE) / share),
    );
  }
  const looseBefore = new Set(baseline.loose.filter(isError).map(kindOf));
  return {
    noveltyOf: (error) => (before.kinds.has(kindOf(error)) || looseBefore.has(kindOf(error)) ? 0 : 1),
    novelty({ trace, component }) {
      const kinds = now.said.get(`${trace} ${component.key}`);
      if (kinds === undefined) return 1;
      let most = 0;
      for (const kind of kinds) most = Math.max(most, newsOf.get(kind)!);
      return most;
    },
  };
}

interface KindCounts {
  /** Traces with the kind. */
  kinds: Map<string, number>;
  /** By trace and component. */
  said: Map<string, Set<string>>;
}

function tracesByKind(calls: Calls, kindOf: (error: DebugEvent) => string): KindCounts {
  const kinds = new Map<string, number>();
  const said = new Map<string, Set<string>>();
  for (const ofTrace of calls.traces.values()) {
    const seen = new Set<string>();
    for (const { trace, component, logs } of ofTrace) {
      for (const log of logs) {
        if (!isError(log)) continue;
        const kind = kindOf(log);
        seen.add(kind);
        const key = `${trace} ${component.key}`;
        const known = said.get(key);
        if (known === undefined) said.set(key, new Set([kind]));
        else known.add(kind);
      }
    }
    for (const kind of seen) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return { kinds, said };
}

/** Errors are of one kind that differ only in values and in which components they name. */
function failureKinds(sides: readonly Calls[]): (error: DebugEvent) => string {
  const names = new Set<string>();
  for (const { all } of sides) for (const { component } of all) names.add(component.id);
  const longestFirst = [...names].sort((a, b) => b.length - a.length).map((name) => RegExp.escape(name));
  const anyName = longestFirst.length === 0 ? null : new RegExp(`\\b(?:${longestFirst.join('|')})\\b`, 'g');
  const known = new Map<string, string>();
  return (error) => {
    const pattern = patternOf(error);
    let kind = known.get(pattern);
    if (kind === undefined)
      known.set(pattern, (kind = anyName === null ? pattern : pattern.replace(anyName, '<component>')));
    return kind;
  };
}
