/** Failures of errors that no span holds: by their parent events, by whom they name, else by time. */
import type { DebugEvent } from '../../model/event.ts';
import { patternOf } from '../event-facts.ts';
import { byTime, componentOf, distinctComponents } from '../window.ts';
import { distinctEvents, type Failure } from './failure.ts';
import { namedChain } from './links.ts';

/** One failure for each origin reached by parent links; those that stand alone are one, the earliest its origin. */
export function looseFailures(errors: readonly DebugEvent[], events: readonly DebugEvent[]): Failure[] {
  if (errors.length === 0) return [];
  const parents = parentLinks(errors, events);
  const isOpen = new Set(errors);
  const failures: Failure[] = [];
  const alone: DebugEvent[] = [];
  for (const [origin, { members, deepest }] of byOrigin(errors, parents, isOpen)) {
    if (deepest === origin) {
      alone.push(origin);
      continue;
    }
    const chain: DebugEvent[] = [];
    for (let at: DebugEvent | undefined = deepest; at !== undefined; at = parents.get(at))
      if (isOpen.has(at)) chain.push(at);
    failures.push(looseFailure(origin, chain, members, 'parent_links'));
  }
  if (alone.length > 0) {
    const named = namedChain(alone);
    const [origin] = named as [DebugEvent];
    // The same words again are the same error, not its effect.
    const pattern = patternOf(origin);
    const effect = alone.findLast((error) => patternOf(error) !== pattern);
    if (named.length > 1) failures.push(looseFailure(origin, [...named].reverse(), alone, 'names'));
    else
      failures.push(
        looseFailure(
          origin,
          effect === undefined ? [origin] : [effect, origin],
          alone,
          effect === undefined ? 'alone' : 'time',
        ),
      );
  }
  return failures;
}

/** Parents of the errors and of all above them; a circle is cut above its earliest event. */
function parentLinks(errors: readonly DebugEvent[], events: readonly DebugEvent[]): Map<DebugEvent, DebugEvent> {
  const parents = new Map<DebugEvent, DebugEvent>();
  const byId = new Map(events.map((event) => [event.id, event]));
  const settled = new Set<DebugEvent>();
  for (const error of errors) {
    const path = new Set<DebugEvent>();
    let at: DebugEvent | undefined = error;
    while (at !== undefined && !settled.has(at) && !path.has(at)) {
      path.add(at);
      const parent: DebugEvent | undefined = at.parent_event_id === null ? undefined : byId.get(at.parent_event_id);
      if (parent !== undefined) parents.set(at, parent);
      at = parent;
    }
    if (at !== undefined && path.has(at)) {
      let earliest = at;
      for (let next = parents.get(at)!; next !== at; next = parents.get(next)!)
        if (byTime(next, earliest) < 0) earliest = next;
      parents.delete(earliest);
    }
    for (const event of path) settled.add(event);
  }
  return parents;
}

/** The topmost error above each error, which may be itself, with all the errors below it and the one farthest down. */
function byOrigin(
  errors: readonly DebugEvent[],
  parents: ReadonlyMap<DebugEvent, DebugEvent>,
  isOpen: ReadonlySet<DebugEvent>,
): Map<DebugEvent, { members: DebugEvent[]; deepest: DebugEvent }> {
  const places = new Map<DebugEvent, { origin: DebugEvent | null; depth: number }>();
  const place = (event: DebugEvent) => {
    const path: DebugEvent[] = [];
    for (let at: DebugEvent | undefined = event; at !== undefined && !places.has(at); at = parents.get(at))
      path.push(at);
    for (const at of path.reverse()) {
      const above = places.get(parents.get(at)!);
      places.set(at, { origin: above?.origin ?? (isOpen.has(at) ? at : null), depth: (above?.depth ?? 0) + 1 });
    }
    return places.get(event)!;
  };
  const origins = new Map<DebugEvent, { members: DebugEvent[]; deepest: DebugEvent }>();
  for (const error of errors) {
    const { origin, depth } = place(error);
    const known = origins.get(origin!);
    if (known === undefined) origins.set(origin!, { members: [error], deepest: error });
    else {
      known.members.push(error);
      if (depth > place(known.deepest).depth) known.deepest = error;
    }
  }
  return origins;
}

function looseFailure(origin: DebugEvent, chain: DebugEvent[], errors: DebugEvent[], basis: Failure['basis']): Failure {
  return {
    origin,
    culprit: componentOf(origin),
    culpritNode: origin.node_id,
    chain,
    errors: distinctEvents([origin, ...errors]).sort(byTime),
    components: distinctComponents([origin, ...errors].map(componentOf)),
    basis,
    fatal: true,
    silent: false,
    dependency: null,
  };
}
