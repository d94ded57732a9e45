/** What was it, and was it the same everywhere: from the snapshots that components report. */
import type { ComponentRef } from '../../../model/block.ts';
import type { Insight } from '../../../model/insight.ts';
import { clockTime, insightItem, plural, refName } from '../../agent/say.ts';
import { clip, type DraftItem, nameOf, quote } from '../../budget.ts';
import { orNone } from '../known.ts';
import { type Answerer, type Asking, type Reply, say, toolName, whichOf } from '../reply.ts';

export const state: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const [ref] = understood.components;
  const operation_id = understood.ids.find(({ kind }) => kind === 'operation')?.id;
  if (ref === undefined) return whoseState(asking);
  // A time is looked at from its end: what was the state by then.
  const at = understood.range.end ?? undefined;
  const found = await orNone(facts.state(tenant, { ...whichOf(ref), operation_id, at: at ?? undefined }));
  if (found === null) return noState(asking, ref, at ?? null);
  const { data, meta } = found;
  const changed = Object.entries(data.diff_from_previous ?? {});
  const words = (value: unknown) => (value === undefined ? 'nothing' : quote(JSON.stringify(value), 80));
  return {
    sentences: [
      say(
        `${refName(ref)}${data.node_id === null ? '' : ` on ${nameOf(data.node_id)}`} was ${quote(JSON.stringify(data.state_data), 400)} at ${clockTime(data.timestamp, meta.as_of)}${data.checkpoint_name === null ? '' : `, checkpoint ${nameOf(data.checkpoint_name)}`}.`,
        data.id,
      ),
      ...(changed.length === 0
        ? []
        : [
            say(
              `${plural(changed.length, 'value')} changed from the snapshot before: ${changed
                .slice(0, 3)
                .map(([key, { from, to }]) => `${nameOf(key)} from ${words(from)} to ${words(to)}`)
                .join('; ')}.`,
              data.id,
            ),
          ]),
    ],
    confidence: 0.95,
    lists: [
      {
        name: 'changed',
        items: changed.map(
          ([key, { from, to }]): DraftItem => ({ forms: [`${nameOf(key)}: ${words(from)} to ${words(to)}`] }),
        ),
      },
    ],
    next: data.operation_id === null ? [] : [{ tool: 'trace', arguments: { id: data.operation_id } }],
    metas: [meta],
  };
};

async function noState({ facts, tenant, understood }: Asking, ref: ComponentRef, at: string | null): Promise<Reply> {
  const { meta } = await facts.events(tenant, { ...whichOf(ref), event_type: ['state_snapshot'], limit: 1 });
  const when = at === null ? '' : ` by ${clockTime(at, meta.as_of)}`;
  return {
    sentences: [say(`No state of ${refName(ref)} is known${when}: it has reported no snapshot.`)],
    confidence: 0,
    coverage: understood.known.length > 0 ? ['components report their state as snapshots; this one has not'] : [],
    next: [{ tool: 'health', arguments: { component: toolName(ref) } }],
    metas: [meta],
  };
}

async function whoseState({ facts, tenant }: Asking): Promise<Reply> {
  const { data, meta } = await facts.events(tenant, { event_type: ['state_snapshot'], limit: 500 });
  const names = [...new Set(data.map(({ component_type: type, component_id: id }) => refName({ type, id })))];
  return {
    sentences: [say(names.length === 0 ? 'No component has reported its state.' : 'Whose state?')],
    confidence: names.length === 0 ? 0 : 0.5,
    clarification: { what: 'component_id', choices: names.slice(0, 10) },
    metas: [meta],
  };
}

export const consistency: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const { components, ids } = understood;
  const known = await facts.insights(tenant, {
    insight_type: 'consistency',
    resolved: false,
    limit: 50,
    ...(components[0] !== undefined && whichOf(components[0])),
  });
  const operation = ids[0]?.id ?? (await newestOperation(asking));
  const fresh = operation === null ? null : await orNone(facts.consistency(tenant, { operation_id: operation }));
  const open = known.data.filter(
    ({ state, severity, operation_id }) =>
      state !== 'ignored' && severity !== 'info' && (ids[0] === undefined || operation_id === ids[0].id),
  );
  const insight = fresh !== null && fresh.data.severity !== 'info' ? fresh.data : (open[0] ?? fresh?.data ?? null);
  const metas = [fresh?.meta ?? known.meta];
  if (insight === null) {
    const what =
      ids[0] === undefined ? (components[0] === undefined ? 'anything' : refName(components[0])) : nameOf(ids[0].id);
    return {
      sentences: [say(`No state of ${what} was reported, so nothing can be said about its consistency.`)],
      confidence: 0,
      coverage: ['consistency is told from state snapshots; none were received'],
      next: [{ tool: 'health', arguments: {} }],
      metas,
    };
  }
  return {
    sentences: sentencesOf(insight),
    confidence: insight.confidence_score,
    suggestions: insight.suggestions,
    lists: [{ name: 'insights', items: open.map((each) => insightItem(each, metas[0]!.as_of)) }],
    next: [
      ...(open[0] === undefined ? [] : [{ tool: 'explain', arguments: { id: open[0].id } }]),
      ...(operation === null ? [] : [{ tool: 'trace', arguments: { id: operation } }]),
    ],
    metas,
  };
};

function sentencesOf(insight: Insight) {
  const { severity, summary, evidence, title } = insight;
  const ids = [...evidence.snapshot_ids, ...evidence.event_ids].slice(0, 5);
  return [
    say(
      `${severity === 'info' ? 'Consistent' : 'Not consistent'}: ${quote(clip(summary || title, 400), 400)}.`,
      ...ids,
    ),
  ];
}

/** The operation under which the component, or anybody, reported its state last. */
async function newestOperation({ facts, tenant, understood }: Asking): Promise<string | null> {
  const [ref] = understood.components;
  const { data } = await facts.events(tenant, {
    ...(ref !== undefined && whichOf(ref)),
    ...understood.range,
    event_type: ['state_snapshot'],
    limit: 100,
  });
  return data.find(({ operation_id }) => operation_id !== null)?.operation_id ?? null;
}
