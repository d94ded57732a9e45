/** What was said: errors and other records that match, how often and since when; and the patterns among them. */
import type { DebugEvent, Level } from '../../../model/event.ts';
import { patternItem } from '../../agent/health.ts';
import { rawCostOf } from '../../agent/raw.ts';
import { clockTime, componentName, listed, plural } from '../../agent/say.ts';
import { eventItem } from '../../agent/search.ts';
import { nameOf, quote } from '../../budget.ts';
import type { EventFilter } from '../../events.ts';
import type { Claim } from '../../needs.ts';
import type { ErrorPattern } from '../../patterns.ts';
import { type Answerer, type Asking, heldTime, isOf, nothingOf, say, sureOf, whichOf } from '../reply.ts';
import { CONCEPTS } from '../vocabulary.ts';
import type { Wanted } from '../wanted.ts';
import { betweenMs } from './compare.ts';
import {
  byComplaint,
  complaintItem,
  complaintOf,
  eventsAfter,
  operationsIn,
  refsOf,
  saidFilter,
} from './complaints.ts';
import { nodesOf } from './nodes.ts';
import { subjectOf } from './operations.ts';

export const errors: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const { components, ids, text, words, said } = understood;
  const [id] = ids;
  const level = levelOf(words, text);
  const what = subjectOf(asking);
  const held = id === undefined ? await heldTime(asking, components[0]) : null;
  if (held?.empty) return nothingOf(what, held);
  const filter: EventFilter = {
    ...(id === undefined ? {} : id.kind === 'trace' ? { trace_id: id.id } : { [`${id.kind}_id`]: id.id }),
    ...(components[0] !== undefined && whichOf(components[0])),
    ...saidFilter(said, text),
    ...(level !== null && { min_level: level }),
  };
  const range = held?.range ?? understood.range;
  const { data, meta } = await facts.events(tenant, { ...filter, ...range, limit: EVENTS_MAX });
  const kind =
    level === 'ERROR' ? 'error' : level === 'WARNING' ? 'warning' : level === 'CRITICAL' ? 'critical error' : 'event';
  const about = `${text === null ? '' : ` with ${quote(text, 80)}`}${what === 'anything' ? '' : ` of ${what}`}`;
  const when = held === null ? '' : ` ${held.words}`;
  if (data.length === 0) {
    const any = await facts.events(tenant, {
      ...range,
      ...(components[0] !== undefined && whichOf(components[0])),
      limit: 1,
    });
    return {
      sentences: [say(`No ${kind}${about}${when}.`, any.data[0]?.id), ...(held?.note == null ? [] : [say(held.note)])],
      confidence: any.data.length === 0 ? 0 : 0.9,
      next: [{ tool: 'health', arguments: {} }],
      metas: [any.data.length === 0 ? any.meta : meta],
    };
  }
  const groups = byComplaint(data);
  const most = groups[0]![0];
  // A failure is told by several records: who asks how many orders failed wants the operations.
  const operations = operationsIn(data).length;
  const among = level !== 'ERROR' || id !== undefined || operations < 2 ? '' : ` in ${plural(operations, 'operation')}`;
  const after = await eventsAfter(asking, data[0]!);
  const subject = { kind, about, when, asOf: meta.as_of, isPart: meta.truncated };
  const count = meta.truncated ? `At least ${plural(data.length, kind)}` : plural(data.length, kind);
  const lead = leadOf(asking, data, subject);
  return {
    sentences: [
      ...lead,
      ...(understood.nodes.length > 0 ? await nodesOf(asking, components[0] ?? null, range) : []),
      say(
        `${count}${about}${among}${when}, ${groups[0]!.length} of them from ${componentName(most.component_type, most.component_id)}: ${quote(most.message, 200)}.`,
        most.id,
      ),
      ...(ofTime(understood.wanted) ? [] : [fromTo(data, subject)]),
      ...(after === null ? [] : [say(after.words, data[0]!.id)]),
      ...(held?.note == null ? [] : [say(held.note)]),
    ],
    confidence: 0.95,
    mentioned: refsOf(groups.map(([event]) => event!)),
    lists: [
      { name: 'groups', items: groups.map(complaintItem) },
      {
        name: 'events',
        items: data.slice(0, 50).map((event) => eventItem(event, meta.as_of)),
        total: data.length,
        more: meta.truncated,
      },
    ],
    next: [
      { tool: 'explain', arguments: { id: most.id } },
      {
        tool: 'search',
        arguments: {
          ...(text !== null && { q: text }),
          ...(level !== null && { min_level: level }),
          ...(components[0] !== undefined && { component: nameOf(components[0].id) }),
        },
      },
    ],
    metas: [meta],
    raw: rawCostOf(data),
  };
};

interface Subject {
  kind: string;
  /** " of orders". */
  about: string;
  /** " in the last hour". */
  when: string;
  asOf: string;
  /** Whether there are more, older ones. */
  isPart: boolean;
}

/** What is told first, by the form in which the answer is wanted. @param data the newest first */
function leadOf({ understood }: Asking, data: readonly DebugEvent[], subject: Subject): Claim[] {
  const { wanted, components, ids, text } = understood;
  const { kind, about, when, asOf, isPart } = subject;
  const [newest, oldest] = [data[0]!, data.at(-1)!];
  const leads: Claim[] = [];
  if (wanted.has('example')) {
    const event = wanted.has('beginning') ? oldest : newest;
    const of = event.correlation_id ?? event.trace_id;
    const id = of === null ? `event ${event.id}` : `${nameOf(of)}`;
    leads.push(say(`For example ${id} at ${clockTime(event.timestamp, asOf)}: ${who(event)}.`, event.id));
  }
  if (wanted.has('duration'))
    leads.push(
      say(
        `${capital(kind)}s${about} were there for ${timeWords(betweenMs(oldest.timestamp, newest.timestamp))}${isPart ? ' or longer' : ''}, from ${clockTime(oldest.timestamp, asOf)} to ${clockTime(newest.timestamp, asOf)}.`,
        oldest.id,
        newest.id,
      ),
    );
  else if (wanted.has('beginning') && wanted.has('end')) leads.push(fromTo(data, subject));
  else if (wanted.has('beginning') && !wanted.has('example'))
    leads.push(
      say(
        `First at ${clockTime(oldest.timestamp, asOf)}${isPart ? ' or before' : ''}: ${who(oldest)}, the ${isPart ? `oldest of the newest ${plural(data.length, kind)}` : `first ${kind}`}${about}${when}.`,
        oldest.id,
      ),
    );
  else if (wanted.has('end') || wanted.has('over'))
    leads.push(
      say(
        `Last at ${clockTime(newest.timestamp, asOf)}: ${who(newest)}, the newest ${kind}${about}${when}.`,
        newest.id,
      ),
    );
  if (wanted.has('who') && components.length + ids.length === 0 && text === null) {
    const byComponent = [...Map.groupBy(data, (event) => componentName(event.component_type, event.component_id))];
    const ranked = byComponent.sort(([, a], [, b]) => b.length - a.length);
    leads.push(
      say(
        `Most ${kind}s${when}: ${listed(
          ranked.map(([name, events]) => `${name} ${events.length}`),
          5,
        )}.`,
        ranked[0]![1][0]!.id,
      ),
    );
  }
  return leads;
}

/** Who said what. */
function who({ component_type, component_id, message }: DebugEvent): string {
  return `${componentName(component_type, component_id)} ${quote(message, 120)}`;
}

const TIMES = ['beginning', 'end', 'duration'] as const;
const ofTime = (wanted: ReadonlySet<Wanted>) => TIMES.some((time) => wanted.has(time));
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function fromTo(data: readonly DebugEvent[], { asOf, isPart }: Subject): Claim {
  const [newest, oldest] = [data[0]!, data.at(-1)!];
  const oldestWords = complaintOf(oldest) === complaintOf(newest) ? '' : ` (${who(oldest)})`;
  return say(
    `${isPart ? 'The oldest of them' : 'The first'} at ${clockTime(oldest.timestamp, asOf)}${oldestWords}, the newest at ${clockTime(newest.timestamp, asOf)}: ${who(newest)}.`,
    oldest.id,
    newest.id,
  );
}

/** "5 min": how long something was there, as people say it. */
function timeWords(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 2
    ? `${Math.round(ms / 1000)} s`
    : minutes < 120
      ? `${minutes} min`
      : `${Math.round(minutes / 60)} h`;
}

// What one page of the store gives.
const EVENTS_MAX = 1000;

function levelOf(words: readonly string[], text: string | null): Level | null {
  const says = (...starts: string[]) => words.some((word) => starts.some((start) => word.startsWith(start)));
  if (says('warn')) return 'WARNING';
  if (says('critical', 'fatal')) return 'CRITICAL';
  if (
    words.some((word) => ILL.has(word)) ||
    says('error', 'exception', 'fail', 'stack', 'refus', 'reject', 'timeout', 'crash')
  )
    return 'ERROR';
  if (says('log', 'event', 'message', 'line', 'say', 'said', 'print', 'output') || text !== null) return null;
  return 'ERROR';
}

/** What goes wrong is asked after: "since when are bookings refused". */
const ILL: ReadonlySet<string> = new Set([...CONCEPTS.fail!, ...CONCEPTS.ill!, ...CONCEPTS.trouble!, 'traceback']);

export const patterns: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const [ref] = understood.components;
  const held = await heldTime(asking, ref);
  if (held.empty !== null) return nothingOf(subjectOf(asking), held);
  const { data, meta } = await facts.errorPatterns(tenant, { ...held.range, limit: 100 });
  const own = ref === undefined ? data : data.filter(({ components }) => isOf(components, ref));
  const [most] = own;
  const of = ref === undefined ? '' : ` of ${subjectOf(asking)}`;
  if (most === undefined)
    return {
      sentences: [
        say(`No error${of} ${held.words}, so no pattern among them.`),
        ...(held.note === null ? [] : [say(held.note)]),
      ],
      confidence: 0.8,
      next: [{ tool: 'health', arguments: {} }],
      metas: [meta],
    };
  const total = own.reduce((sum, { count }) => sum + count, 0);
  return {
    sentences: [
      say(
        `The most frequent of ${plural(own.length, 'error pattern')}${of} ${held.words}, ${plural(total, 'error')} in all: ${patternWords(most)}.`,
        most.example_event_id,
      ),
      ...own.slice(1, TOLD_MAX).map((each) => say(`${patternWords(each)}.`, each.example_event_id)),
      ...(held.note === null ? [] : [say(held.note)]),
    ],
    confidence: sureOf(total),
    lists: [{ name: 'patterns', items: own.map((pattern) => patternItem(pattern, meta.as_of)), more: meta.truncated }],
    next: [
      { tool: 'explain', arguments: { id: most.example_event_id } },
      { tool: 'search', arguments: { min_level: 'ERROR' } },
    ],
    metas: [meta],
  };
};

function patternWords({ count, template, components, trend }: ErrorPattern): string {
  const whose = components.map(({ type, id }) => componentName(type, id)).slice(0, 3);
  return `${count}x ${quote(template ?? 'without a word', 160)} of ${whose.join(', ')}${trend === 'rising' ? ', rising' : ''}`;
}

// The others stand in the list.
const TOLD_MAX = 3;
