/** What differs: between components or operations, or between two times of one component or of everything. */
import { formatNanos, parseNanos } from '../../../model/time.ts';
import { baselineOf } from '../../agent/baseline.ts';
import { clockTime, insightItem, pressingFirst, refName } from '../../agent/say.ts';
import { deployedIn, deployedWords, deploymentWords } from '../../agent/versions.ts';
import { type DraftItem, nameOf, quote } from '../../budget.ts';
import { parseWindow } from '../../params.ts';
import { type Answerer, heldTime, nothingOf, say, toolName, whichOf } from '../reply.ts';
import { sideBySide } from './sides.ts';
import { compareVersions } from './versions.ts';

export const compare: Answerer = async (asking) => {
  const { components, ids, versions, words } = asking.understood;
  if (components.length > 1) {
    const held = await heldTime(asking);
    if (held.empty !== null) return nothingOf(components.map(refName).join(' and '), held);
    const reply = await sideBySide(
      asking,
      { components: components.slice(0, 10), ...held.range },
      components.slice(0, 10).map(refName),
    );
    return held.note === null ? reply : { ...reply, sentences: [...reply.sentences, say(held.note)] };
  }
  if (versions.length > 0 || words.some((word) => word.startsWith('version'))) return compareVersions(asking);
  const operations = ids.filter(({ kind }) => kind === 'operation').map(({ id }) => id);
  if (operations.length > 1) return sideBySide(asking, { operations: operations.slice(0, 10) }, operations.map(nameOf));
  return changes(asking);
};

/** Now against as long before; insights, versions and errors that are new stand first. */
export const changes: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const [ref] = understood.components;
  const held = await heldTime(asking, ref);
  if (held.empty !== null && understood.against === null)
    return nothingOf(ref === undefined ? 'anything' : refName(ref), held);
  const now = parseWindow(held.range, understood.now);
  const end = now.end < understood.now ? now.end : understood.now;
  const length = end - now.start;
  const which = ref === undefined ? {} : whichOf(ref);
  const latest = { start: formatNanos(now.start), end: formatNanos(end) };
  const asked = {
    start: formatNanos(now.start > length ? now.start - length : 0n),
    end: formatNanos(now.start > 0n ? now.start - 1n : 0n),
  };
  const baseline =
    understood.against === null
      ? await baselineOf(facts, tenant, { before: asked, now: latest }, which)
      : { before: understood.against, now: latest, note: null };
  const { before } = baseline;
  const asOf = formatNanos(understood.now);
  const isNow = end === understood.now;
  const labels = [
    understood.against === null ? 'before' : `${clockTime(before.start, asOf)}-${clockTime(before.end, asOf)}`,
    isNow ? 'now' : clockTime(formatNanos(end), asOf),
  ];
  const reply = await sideBySide(
    asking,
    {
      windows: [before, baseline.now],
      ...which,
    },
    labels,
  );
  const [{ deployed, coverage }, patterns, insights] = await Promise.all([
    deployedIn(facts, tenant, { start: before.start, end: baseline.now.end }, ref),
    facts.errorPatterns(tenant, { ...held.range, limit: 100 }),
    facts.insights(tenant, {
      ...(ref !== undefined && whichOf(ref)),
      resolved: false,
      limit: 20,
      start: formatNanos(now.start),
    }),
  ]);
  const isNew = patterns.data.filter(
    (each) =>
      each.new && (ref === undefined || each.components.some(({ type, id }) => type === ref.type && id === ref.id)),
  );
  const whose = isNew[0]?.components[0];
  const newVersions = deployedWords(deployed, asOf);
  const found = insights.data
    .filter(({ severity, first_seen }) => severity !== 'info' && first_seen >= baseline.now.start)
    .sort(pressingFirst(asOf))[0];
  return {
    ...reply,
    sentences: [
      ...(found === undefined
        ? []
        : [say(`Since ${clockTime(found.first_seen, asOf)}: ${quote(found.title, 200)}.`, found.id)]),
      ...(newVersions === null ? [] : [say(newVersions)]),
      ...reply.sentences.slice(0, 1),
      ...(isNew[0] === undefined
        ? []
        : [
            say(
              `New ${held.words}: ${isNew[0].count}x ${quote(isNew[0].template ?? 'an error without a word', 200)}${whose === undefined ? '' : ` of ${refName(whose)}`}, first at ${clockTime(isNew[0].first_seen, asOf)}.`,
              isNew[0].example_event_id,
            ),
          ]),
      ...reply.sentences.slice(1),
      ...[baseline.note, held.note].flatMap((note) => (note === null ? [] : [say(note)])),
    ],
    lists: [
      ...(reply.lists ?? []),
      {
        name: 'new_versions',
        items: deployed.map((each): DraftItem => ({ forms: [deploymentWords(each, asOf)] })),
      },
      {
        name: 'new_errors',
        items: isNew.map(
          (each): DraftItem => ({
            forms: [`${each.count}x ${quote(each.template ?? '', 160)} e.g. ${each.example_event_id}`],
          }),
        ),
      },
      { name: 'insights', items: insights.data.map((each) => insightItem(each, asOf)) },
    ],
    coverage,
    next: [
      ...(isNew[0] === undefined ? [] : [{ tool: 'explain', arguments: { id: isNew[0].example_event_id } }]),
      { tool: 'changes', arguments: {} },
      { tool: 'health', arguments: ref === undefined ? {} : { component: toolName(ref) } },
    ],
  };
};

/** Milliseconds between two times. */
export function betweenMs(start: string, end: string): number {
  return Number(parseNanos(end)! - parseNanos(start)!) / 1e6;
}
