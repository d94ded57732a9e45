/** Find events: what was said how often and by whom, the gravest first, then the newest of them with their attributes. */
import { type DebugEvent, LEVELS } from '../../model/event.ts';
import { coverageWords, type Draft, type DraftItem, type NextCall, quote } from '../budget.ts';
import type { EventFilter } from '../events.ts';
import type { TimeRangeInput } from '../params.ts';
import type { Facts } from './facts.ts';
import { findComponent } from './names.ts';
import { rawCostOf } from './raw.ts';
import { attributesOf, clockTime, componentName, millis, plural } from './say.ts';
import { notKnown } from './unknown.ts';

export interface SearchInput extends Omit<EventFilter, 'component_type' | 'component_id'>, TimeRangeInput {
  component?: string | undefined;
  /** Goes on behind an earlier answer with the same filters. */
  cursor?: string | undefined;
}

export async function draftSearch(facts: Facts, tenant: string, input: SearchInput): Promise<Draft> {
  const { component, ...rest } = input;
  let which = {};
  if (component !== undefined) {
    const meant = await findComponent(facts, tenant, component, {
      time_range: rest.time_range,
      start: rest.start,
      end: rest.end,
    });
    if ('unknown' in meant) return notKnown(facts, tenant, meant.unknown);
    which = { component_type: meant.ref.type, component_id: meant.ref.id };
  }
  const { data: events, meta } = await facts.events(tenant, { ...rest, ...which, limit: EVENTS_MAX });
  const groups = groupsOf(events);
  const newest = events[0];
  const many = meta.truncated ? `At least ${events.length} events` : plural(events.length, 'event');
  const said = groups[0];
  const answer =
    newest === undefined || said === undefined
      ? 'No event matches.'
      : `${many} in ${plural(groups.length, 'pattern')}, ${clockTime(events.at(-1)!.timestamp, meta.as_of)} to ${clockTime(newest.timestamp, meta.as_of)}. ${groups.length === 1 ? 'All' : 'Gravest'}: ${said.events.length}x ${said.words}.`;
  const next: NextCall[] = [];
  const error = events.find(({ level }) => level === 'ERROR' || level === 'CRITICAL');
  if (error !== undefined) next.push({ tool: 'explain', arguments: { id: error.id } });
  if (newest?.correlation_id) next.push({ tool: 'trace', arguments: { id: newest.correlation_id } });
  if (meta.next_cursor !== undefined)
    next.push({ tool: 'search', arguments: { ...plainOf(input), cursor: meta.next_cursor } });
  return {
    answer,
    lists: [
      { name: 'patterns', items: groups.map((group) => groupItem(group, meta.as_of)) },
      {
        name: 'events',
        items: newestOf(groups).map((event) => eventItem(event, meta.as_of)),
        total: events.length,
        more: meta.truncated,
      },
    ],
    next,
    coverage: coverageWords(meta),
    as_of: meta.as_of,
    raw: rawCostOf(events),
  };
}

// What one page of the store gives; more is read behind the cursor.
const EVENTS_MAX = 500;
const EVENTS_TOLD = 50;

interface Group {
  words: string;
  severity: number;
  /** Newest first. */
  events: DebugEvent[];
}

function groupsOf(events: readonly DebugEvent[]): Group[] {
  const groups = Map.groupBy(events, (event) =>
    JSON.stringify([event.level, event.component_type, event.component_id, event.template_id ?? event.message]),
  );
  return [...groups.values()]
    .map((events): Group => {
      const [first] = events as [DebugEvent];
      const { level, event_type, component_type, component_id, message } = first;
      const severity = level === null ? -1 : LEVELS.indexOf(level);
      return {
        words: `${level ?? event_type} ${componentName(component_type, component_id)} ${quote(message, 200)}`,
        severity,
        events,
      };
    })
    .sort((a, b) => b.severity - a.severity || b.events.length - a.events.length);
}

function groupItem({ words, events }: Group, asOf: string): DraftItem {
  const head = `${events.length}x ${words}`;
  return { forms: [`${head} last ${clockTime(events[0]!.timestamp, asOf)} e.g. ${events[0]!.id}`, head] };
}

/** One of each pattern before a second of any. */
function newestOf(groups: readonly Group[]): DebugEvent[] {
  const told: DebugEvent[] = [];
  for (let i = 0; told.length < EVENTS_TOLD; i++) {
    const round = groups.filter(({ events }) => i < events.length).map(({ events }) => events[i]!);
    if (round.length === 0) break;
    told.push(...round);
  }
  return told.slice(0, EVENTS_TOLD);
}

export function eventItem(event: DebugEvent, asOf: string): DraftItem {
  const { id, timestamp, level, event_type, component_type, component_id, message, duration_ms } = event;
  const took = duration_ms === undefined ? '' : ` took ${millis(duration_ms)}`;
  const head = `${clockTime(timestamp, asOf)} ${level ?? event_type} ${componentName(component_type, component_id)}`;
  const line = `${head} ${quote(message)}${took}`;
  const data = attributesOf(event.data);
  if (data === undefined) return { forms: [`${line} id=${id}`, `${head} ${quote(message, 80)}${took}`] };
  return { forms: [{ id, event: line, data }, `${line} id=${id}`, `${head} ${quote(message, 80)}${took}`] };
}

function plainOf(input: SearchInput): Record<string, string | string[]> {
  const plain = Object.entries(input).filter(
    ([key, value]) => value != null && key !== 'attributes' && key !== 'cursor',
  );
  return Object.fromEntries(plain) as Record<string, string | string[]>;
}
