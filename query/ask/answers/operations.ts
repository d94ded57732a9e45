/** How far has it come, and where is it: of one operation, or of those under way. */
import type { DebugEvent } from '../../../model/event.ts';
import { clockTime, componentName, linkItem, millis, percent, plural, refName } from '../../agent/say.ts';
import { type DraftItem, nameOf, quote } from '../../budget.ts';
import type { KnownId } from '../known.ts';
import { orNone } from '../known.ts';
import { type Answerer, type Asking, heldTime, nothingOf, type Reply, say, sureOf, whichOf } from '../reply.ts';
import { betweenMs } from './compare.ts';
import { explain } from './explain.ts';

export const progress: Answerer = async (asking) => {
  const { ids, components } = asking.understood;
  const id = ids[0]?.id ?? (components[0] === undefined ? null : await newestOperation(asking));
  return id === null ? underWay(asking) : ofOperation(asking, id);
};

/** Of the component that was named. */
async function newestOperation(asking: Asking): Promise<string | null> {
  const { facts, tenant, understood } = asking;
  const { data } = await facts.events(tenant, {
    ...whichOf(understood.components[0]!),
    ...understood.range,
    limit: 200,
  });
  const newest =
    data.find(({ operation_id }) => operation_id !== null) ??
    data.find(({ correlation_id }) => correlation_id !== null);
  return newest?.operation_id ?? newest?.correlation_id ?? null;
}

async function ofOperation(asking: Asking, id: string): Promise<Reply> {
  const { facts, tenant } = asking;
  const found = await orNone(facts.progress(tenant, id));
  if (found === null) return where(asking);
  const { status, progress, steps, total_steps, completed_steps, error_count, updated_at } = found.data;
  const { meta } = found;
  const behind = steps.filter((step) => step.status !== 'completed');
  const failed = steps.find((step) => step.status === 'failed');
  const stuck = failed ?? behind.at(-1);
  const { data: events } = await facts.events(tenant, { operation_id: id, limit: 1 });
  const { data: errors } = await facts.events(tenant, { operation_id: id, min_level: 'ERROR', limit: 1 });
  const evidence = [errors[0]?.id, events[0]?.id];
  const known = total_steps === 0 ? '' : `, ${completed_steps} of ${plural(total_steps, 'step')} completed`;
  return {
    sentences: [
      say(
        `${nameOf(id)} ${STATUS_WORDS[status]}: ${percent(progress)} done${known}; last heard of at ${updated_at === null ? 'no time' : clockTime(updated_at, meta.as_of)}.`,
        ...evidence,
      ),
      ...(stuck === undefined
        ? []
        : [
            say(
              `${failed === undefined ? 'Not done yet' : 'Failed'}: step ${nameOf(stuck.step)} of ${componentName(stuck.component_type, stuck.component_id)} at ${percent(stuck.progress)}.`,
              evidence[0],
            ),
          ]),
      ...(errors[0] === undefined
        ? []
        : [say(`${plural(error_count, 'error')}, the newest: ${quote(errors[0].message, 200)}.`, errors[0].id)]),
    ],
    confidence: sureOf(Math.max(total_steps, 1) + (status === 'completed' || status === 'failed' ? 3 : 0)),
    lists: [
      {
        name: 'steps',
        items: steps.map(
          (step): DraftItem => ({
            forms: [
              `${nameOf(step.step)}: ${step.status} ${percent(step.progress)} by ${componentName(step.component_type, step.component_id)}`,
            ],
          }),
        ),
      },
    ],
    next: [
      { tool: 'trace', arguments: { id } },
      ...(errors[0] === undefined ? [] : [{ tool: 'explain', arguments: { id: errors[0].id } }]),
    ],
    metas: [meta],
  };
}

const STATUS_WORDS = {
  not_found: 'is not known',
  started: 'has started',
  in_progress: 'is in progress',
  completed: 'is completed',
  failed: 'has failed',
} as const;

/** What has steps is under way until the last is done, also where nothing was heard of it for a while. */
async function workflowsUnderWay(asking: Asking): Promise<Reply | null> {
  const { facts, tenant, understood } = asking;
  const workflows = understood.known.filter(({ type }) => type === 'workflow').slice(0, WORKFLOWS_MAX);
  const runs = await Promise.all(
    workflows.map(async (ref) => {
      const id = await newestOperation({ ...asking, understood: { ...understood, components: [ref] } });
      const found = id === null ? null : await orNone(facts.progress(tenant, id));
      return found === null || found.data.total_steps === 0 ? null : { ref, id: id!, ...found };
    }),
  );
  const known = runs.filter((run) => run !== null);
  if (known.length === 0) return null;
  const open = known.filter(({ data }) => data.status === 'in_progress' || data.status === 'started');
  const words = ({ ref, id, data }: (typeof known)[number]) =>
    `${nameOf(id)} of ${refName(ref)} ${STATUS_WORDS[data.status]} at ${percent(data.progress)}`;
  const evidence = await Promise.all(
    (open.length > 0 ? open : known).map(
      async ({ id }) => (await facts.events(tenant, { operation_id: id, limit: 1 })).data[0]?.id,
    ),
  );
  return {
    sentences: [
      say(
        open.length === 0
          ? `Nothing is under way: ${known.map(words).join(', ')}.`
          : `Under way: ${open.map(words).join(', ')}.`,
        ...evidence,
      ),
    ],
    confidence: sureOf(known.length + 3),
    mentioned: (open.length > 0 ? open : known).map(({ ref }) => ref),
    lists: [{ name: 'operations', items: known.map((run): DraftItem => ({ forms: [words(run)] })) }],
    next: [{ tool: 'trace', arguments: { id: (open[0] ?? known[0]!).id } }],
    metas: known.map(({ meta }) => meta),
  };
}

const WORKFLOWS_MAX = 10;

async function underWay(asking: Asking): Promise<Reply> {
  const { facts, tenant, understood } = asking;
  const ofWorkflows = await workflowsUnderWay(asking);
  if (ofWorkflows !== null) return ofWorkflows;
  const { data, meta } = await facts.activeOperations(tenant, { limit: 100 });
  const held = await heldTime({ facts, tenant, understood });
  if (data.length === 0) {
    if (held.empty !== null) return nothingOf('anything', held);
    return {
      sentences: [say('No operation had an event in the last five minutes.')],
      confidence: 0.8,
      next: [{ tool: 'health', arguments: {} }],
      metas: [meta],
    };
  }
  const of = (status: (typeof data)[number]['status']) => data.filter((each) => each.status === status).length;
  const first = data.find(({ status }) => status !== 'active') ?? data[0]!;
  return {
    sentences: [
      say(
        `${plural(data.length, 'operation')} had events in the last five minutes: ${of('active')} active, ${of('stalled')} without any for a minute, ${of('errors')} with errors.`,
      ),
      say(
        `${first.status === 'active' ? 'The newest' : 'To look at'}: ${nameOf(first.correlation_id)}, ${first.status}, ${plural(first.error_count, 'error')}.`,
      ),
    ],
    confidence: sureOf(data.length + 3),
    lists: [
      {
        name: 'operations',
        items: data.map(
          (each): DraftItem => ({
            forms: [
              `${nameOf(each.correlation_id)}: ${each.status}, ${plural(each.event_count, 'event')}, last ${clockTime(each.last_activity, meta.as_of)}`,
            ],
          }),
        ),
      },
    ],
    next: [{ tool: 'trace', arguments: { id: first.correlation_id } }],
    metas: [meta],
  };
}

/** Where something is: the last that was heard of it, and where it went wrong. */
export const where: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const [id] = understood.ids;
  if (id === undefined && understood.wanted.has('heard') && understood.components.length === 1)
    return lastHeard(asking);
  if (id === undefined || id.kind === 'event' || id.kind === 'insight') return explain(asking);
  const { data, meta } = await facts.events(tenant, { ...filterOf(id), limit: 500 });
  const newest = data[0];
  if (newest === undefined)
    return nothingOf(nameOf(id.id), { range: {}, words: 'so far', note: null, empty: { data, meta } });
  const oldest = data.at(-1)!;
  const errors = data.filter(({ level }) => isComplaint(level));
  // A span that waits for the one that fails begins before it: what came first is not where it began.
  const first = errors[0] === undefined ? undefined : await earliestBehind(asking, errors);
  const path = [
    ...new Set(
      data.toReversed().map(({ component_type, component_id }) => componentName(component_type, component_id)),
    ),
  ];
  const last = componentName(newest.component_type, newest.component_id);
  return {
    sentences: [
      ...(first === undefined
        ? []
        : [
            say(
              `It failed in ${componentName(first.component_type, first.component_id)}: ${quote(first.message, 200)}.`,
              first.id,
            ),
          ]),
      say(
        `${nameOf(id.id)} was last seen in ${last} at ${clockTime(newest.timestamp, meta.as_of)}: ${quote(newest.message, 160)}.`,
        newest.id,
      ),
      say(
        `It went through ${path.slice(0, 8).join(', then ')} in ${millis(betweenMs(oldest.timestamp, newest.timestamp))}, ${plural(data.length, 'event')}.`,
        oldest.id,
      ),
    ],
    confidence: sureOf(data.length),
    lists: [
      {
        name: 'timeline',
        items: data.toReversed().map((event): DraftItem => linkItem({ event_id: event.id, ...event }, meta.as_of)),
        more: meta.truncated,
      },
    ],
    next: [
      { tool: 'trace', arguments: { id: id.id } },
      ...(first === undefined ? [] : [{ tool: 'explain', arguments: { id: first.id } }]),
    ],
    metas: [meta],
  };
};

async function earliestBehind({ facts, tenant }: Asking, errors: readonly DebugEvent[]): Promise<DebugEvent> {
  const found = await orNone(facts.explain(tenant, errors[0]!.id));
  const root = found?.data.root_cause?.event_id;
  return errors.find(({ id }) => id === root) ?? errors.at(-1)!;
}

/** "When did it last answer": the newest that was heard of a component, and the newest that was no complaint. */
async function lastHeard({ facts, tenant, understood }: Asking): Promise<Reply> {
  const ref = understood.components[0]!;
  const { data, meta } = await facts.events(tenant, { ...whichOf(ref), limit: 500 });
  const newest = data[0];
  if (newest === undefined)
    return nothingOf(refName(ref), { range: {}, words: 'so far', note: null, empty: { data, meta } });
  const good = data.find(({ level, status }) => !isComplaint(level) && status !== 'error');
  const told = (event: DebugEvent) => `${clockTime(event.timestamp, meta.as_of)}: ${quote(event.message, 160)}`;
  const isWell = good?.id === newest.id;
  const isRecent = betweenMs(newest.timestamp, meta.as_of) < RECENT_MS;
  return {
    sentences: [
      say(`${refName(ref)} was last heard of at ${told(newest)}.${isRecent ? '' : ' Nothing came since.'}`, newest.id),
      ...(isWell
        ? []
        : [
            good === undefined
              ? say(`The newest ${plural(data.length, 'event')} of it are all errors.`, newest.id)
              : say(`The last that was no error came at ${told(good)}.`, good.id),
          ]),
    ],
    confidence: 0.95,
    next: [{ tool: 'health', arguments: { component: componentName(ref.type, ref.id) } }],
    metas: [meta],
  };
}

const RECENT_MS = 60_000;
const isComplaint = (level: DebugEvent['level']) => level === 'ERROR' || level === 'CRITICAL';

function filterOf({ kind, id }: KnownId) {
  return kind === 'trace' ? { trace_id: id } : kind === 'operation' ? { operation_id: id } : { correlation_id: id };
}

export const subjectOf = (asking: Asking): string => {
  const { components, ids } = asking.understood;
  return [...components.map(refName), ...ids.map(({ id }) => nameOf(id))].join(' and ') || 'anything';
};
