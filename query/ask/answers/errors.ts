/** What was said: errors and other records that match, how often and since when; and the patterns among them. */
import type { Level } from '../../../model/event.ts';
import { patternItem } from '../../agent/health.ts';
import { rawCostOf } from '../../agent/raw.ts';
import { clockTime, componentName, plural } from '../../agent/say.ts';
import { eventItem } from '../../agent/search.ts';
import { nameOf, quote } from '../../budget.ts';
import type { EventFilter } from '../../events.ts';
import type { ErrorPattern } from '../../patterns.ts';
import { type Answerer, heldTime, isOf, nothingOf, say, sureOf, whichOf } from '../reply.ts';
import { CONCEPTS } from '../vocabulary.ts';
import { byComplaint, complaintItem, complaintOf, eventsAfter, refsOf, saidFilter } from './complaints.ts';
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
  const [newest, oldest] = [data[0]!, data.at(-1)!];
  const most = groups[0]![0];
  // A failure is told by several records: who asks how many orders failed wants the operations.
  const operations = new Set(data.flatMap(({ correlation_id }) => correlation_id ?? []));
  const among =
    level !== 'ERROR' || id !== undefined || operations.size < 2 ? '' : ` in ${plural(operations.size, 'operation')}`;
  const oldestWords =
    complaintOf(oldest) === complaintOf(newest)
      ? ''
      : ` (${componentName(oldest.component_type, oldest.component_id)} ${quote(oldest.message, 120)})`;
  const after = await eventsAfter(asking, newest);
  const count = meta.truncated ? `At least ${plural(data.length, kind)}` : plural(data.length, kind);
  return {
    sentences: [
      say(
        `${count}${about}${among}${when}, ${groups[0]!.length} of them from ${componentName(most.component_type, most.component_id)}: ${quote(most.message, 200)}.`,
        most.id,
      ),
      say(
        `${meta.truncated ? 'The oldest of them' : 'The first'} at ${clockTime(oldest.timestamp, meta.as_of)}${oldestWords}, the newest at ${clockTime(newest.timestamp, meta.as_of)}: ${componentName(newest.component_type, newest.component_id)} ${quote(newest.message, 120)}.`,
        oldest.id,
        newest.id,
      ),
      ...(after === null ? [] : [say(after, newest.id)]),
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
  if (says('log', 'event', 'message', 'line') || text !== null) return null;
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
      say(`${plural(own.length, 'error pattern')}${of} ${held.words}, ${plural(total, 'error')}.`),
      ...own
        .slice(0, TOLD_MAX)
        .map((each, i) => say(`${i === 0 ? 'The most frequent: ' : ''}${patternWords(each)}.`, each.example_event_id)),
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
