/** Why did it fail: the complaint that is made most, and the earliest failure known behind it. */
import type { DebugEvent } from '../../../model/event.ts';
import { componentName, gravestFirst, linkItem, listed, plural, refName } from '../../agent/say.ts';
import { changedBefore } from '../../agent/versions.ts';
import { nameOf, quote } from '../../budget.ts';
import type { EventFilter } from '../../events.ts';
import type { TimeRangeInput } from '../../params.ts';
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
import { byComplaint, complaintItem, saidFilter } from './complaints.ts';
import { slow } from './slow.ts';

export const explain: Answerer = async (asking) => {
  const { understood } = asking;
  const { components, ids, text, range, said } = understood;
  const [id] = ids;
  if (id?.kind === 'event' || id?.kind === 'insight') return ofRecord(asking, id.id);
  if (id !== undefined) {
    const replies = await Promise.all(
      ids.slice(0, IDS_MAX).map(({ kind, id }) => ofErrors(asking, { [`${kind}_id`]: id, ...range }, nameOf(id), '')),
    );
    return { ...replies[0]!, sentences: replies.flatMap(({ sentences }) => sentences) };
  }
  const ref = components[0];
  const held = await heldTime(asking, ref);
  const which = ref !== undefined ? whichOf(ref) : understood.type === null ? {} : { component_type: understood.type };
  const what = ref === undefined ? (understood.type === null ? 'anything' : `any ${understood.type}`) : refName(ref);
  if (held.empty !== null) return nothingOf(what, held);
  const about = said === null ? what : quote(said.text, 80);
  const reply = await ofErrors(asking, { ...which, ...saidFilter(said, text), ...held.range }, about, ` ${held.words}`);
  return held.note === null ? reply : { ...reply, sentences: [...reply.sentences, say(held.note)] };
};

// "Why does this one fail and that one not".
const IDS_MAX = 3;
const ERRORS_MAX = 200;

async function ofErrors(
  asking: Asking,
  filter: EventFilter & TimeRangeInput,
  what: string,
  when: string,
): Promise<Reply> {
  const { facts, tenant, understood } = asking;
  const { data, meta } = await complaintsOf(asking, filter);
  const errors = data.filter(({ component_type: type, component_id: id }) => !isOf(understood.except, { type, id }));
  const operations = understood.ids.length > 0 ? [] : operationsOf(errors);
  // "Is it failing", said of spans: how they fare says more than that nothing failed.
  if (errors.length === 0 && understood.said?.kind === 'span') return slow(asking);
  if (errors.length === 0) return noError(asking, filter, what, when);
  const groups = byComplaint(errors);
  const most = groups[0]!;
  const newest = most[0]!;
  const { data: found, meta: foundMeta } = await facts.explain(tenant, newest.id);
  const root = found.root_cause;
  const first = root ?? found.chain.at(-1);
  const changed = first === undefined ? '' : await changedBefore(facts, tenant, first, meta.as_of);
  const isElsewhere = root !== null && root.event_id !== newest.id && root.component_id !== newest.component_id;
  const share = most.length / errors.length;
  const who = componentName(newest.component_type, newest.component_id);
  const many = meta.truncated ? `${most.length} of the newest ${errors.length}` : `${most.length} of ${errors.length}`;
  const subject = what.startsWith('any') || understood.said !== null ? who : what;
  const sentences = [
    ...(isElsewhere
      ? [
          say(
            `${subject} fails because of ${componentName(root.component_type, root.component_id)}: ${quote(root.message, 200)} is the earliest failure behind it.`,
            root.event_id,
          ),
        ]
      : []),
    say(
      `${who} ${isElsewhere ? 'itself says' : 'fails with'} ${quote(newest.message, 240)}: ${many} ${newest.level === 'WARNING' ? 'warning' : 'error'}${errors.length === 1 ? '' : 's'}${when}.`,
      newest.id,
      most.at(-1)!.id,
    ),
    ...(!isElsewhere && root !== null && root.event_id !== newest.id && root.message !== newest.message
      ? [say(`It began with ${quote(root.message, 200)}.`, root.event_id)]
      : []),
    ...(changed === '' ? [] : [say(changed.trim(), first?.event_id)]),
    ...(found.affected_components.length > 1
      ? [say(`Touched: ${listed(found.affected_components.map(refName), 5)}.`, newest.id)]
      : []),
    ...(operations.length === 0
      ? []
      : [say(`${plural(operations.length, 'operation')} hit, the newest first: ${listed(operations.map(nameOf))}.`)]),
  ];
  return {
    sentences,
    mentioned: found.affected_components,
    confidence: Math.max(found.confidence, 0.75 + 0.2 * share - 0.05 / errors.length),
    suggestions: found.suggestions,
    lists: [
      { name: 'chain', items: found.chain.toReversed().map((link) => linkItem(link, meta.as_of)) },
      { name: 'complaints', items: groups.slice(0, 20).map(complaintItem) },
    ],
    next: [
      ...(found.insight_id === null ? [] : [{ tool: 'explain', arguments: { id: found.insight_id } }]),
      ...(newest.correlation_id === null ? [] : [{ tool: 'trace', arguments: { id: newest.correlation_id } }]),
      ...(root === null
        ? []
        : [
            {
              tool: 'health',
              arguments: { component: toolName({ type: root.component_type, id: root.component_id }) },
            },
          ]),
    ],
    metas: [{ ...meta, truncated: false }, foundMeta],
  };
}

/** In which they came; of records without an operation nothing is told. */
function operationsOf(errors: readonly DebugEvent[]): string[] {
  return [...new Set(errors.flatMap(({ operation_id }) => operation_id ?? []))];
}

/** Errors that hold the text; else warnings, as a text may be complained of below an error; else, the text being an aside, any errors. */
async function complaintsOf({ facts, tenant, understood }: Asking, filter: EventFilter & TimeRangeInput) {
  const { q, template_id, ...others } = filter;
  const errors = await facts.events(tenant, { ...filter, min_level: 'ERROR', limit: ERRORS_MAX });
  if (errors.data.length > 0 || (q === undefined && template_id === undefined)) return errors;
  const warnings = await facts.events(tenant, { ...filter, min_level: 'WARNING', limit: ERRORS_MAX });
  if (warnings.data.length > 0 || understood.said !== null) return warnings;
  return facts.events(tenant, { ...others, min_level: 'ERROR', limit: ERRORS_MAX });
}

/** Without errors something else may be wrong: what the insights say is told, and nothing beyond. */
async function noError(
  asking: Asking,
  filter: EventFilter & TimeRangeInput,
  what: string,
  when: string,
): Promise<Reply> {
  const { facts, tenant } = asking;
  const any = await facts.events(tenant, { ...filter, limit: 100 });
  if (any.data.length === 0) return nothingOf(what, { range: {}, words: when.trim(), note: null, empty: any });
  const { component_type, component_id, correlation_id, operation_id } = filter;
  const about = { component_type, component_id, correlation_id, operation_id };
  const insights = await facts.insights(tenant, { ...about, resolved: false, limit: 20 });
  const worst = insights.data
    .filter(({ state, severity }) => state !== 'ignored' && severity !== 'info')
    .sort(gravestFirst)[0];
  const seen = `${any.meta.truncated ? 'over ' : ''}${plural(any.data.length, 'event')}`;
  const none = `${what === 'anything' ? 'no error is known' : `no error of ${what} is known`}${when}, in ${seen}`;
  return {
    sentences:
      worst === undefined
        ? [say(`${none[0]!.toUpperCase()}${none.slice(1)}, and nothing else stands out.`, any.data[0]!.id)]
        : // "Is it the culprit" is answered before what else there is.
          asking.understood.wanted.has('whether')
          ? [
              say(`Nothing says so: ${none}.`, any.data[0]!.id),
              say(`What stands out: ${quote(worst.title, 200)}.`, worst.id),
            ]
          : [
              say(`What stands out: ${quote(worst.title, 200)}.`, worst.id),
              say(`${quote(worst.summary, 400)} But ${none}.`, worst.id, any.data[0]!.id),
            ],
    confidence: worst === undefined ? sureOf(any.data.length) : worst.confidence_score,
    suggestions: worst?.suggestions ?? [],
    next: [worst === undefined ? { tool: 'health', arguments: {} } : { tool: 'explain', arguments: { id: worst.id } }],
    metas: [{ ...any.meta, truncated: false }],
  };
}

async function ofRecord(asking: Asking, id: string): Promise<Reply> {
  const { facts, tenant } = asking;
  const { data, meta } = (await orNone(facts.explain(tenant, id)))!;
  const { root_cause: root, description, chain, affected_components, insight_id } = data;
  return {
    sentences: [
      ...(root === null
        ? []
        : [
            say(
              `The cause is in ${componentName(root.component_type, root.component_id)}: ${quote(root.message, 200)}.`,
              root.event_id,
            ),
          ]),
      say(quote(description, 400), insight_id ?? data.event_id),
      ...(affected_components.length > 1
        ? [say(`Touched: ${listed(affected_components.map(refName), 5)}.`, data.event_id)]
        : []),
    ],
    confidence: data.confidence,
    suggestions: data.suggestions,
    lists: [{ name: 'chain', items: chain.toReversed().map((link) => linkItem(link, meta.as_of)) }],
    next:
      root === null
        ? []
        : [
            {
              tool: 'health',
              arguments: { component: toolName({ type: root.component_type, id: root.component_id }) },
            },
          ],
    metas: [meta],
  };
}
