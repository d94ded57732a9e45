/** Which component is behind what went wrong in a window. */
import { formatNanos } from '../../../model/time.ts';
import { percent, refName } from '../../agent/say.ts';
import { oneLine, quote } from '../../budget.ts';
import { parseWindow } from '../../params.ts';
import { type Answerer, heldTime, nothingOf, say, toolName } from '../reply.ts';
import { explain } from './explain.ts';

export const rootCause: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const held = await heldTime(asking);
  if (held.empty !== null) return nothingOf('anything', held);
  const { start, end } = parseWindow(held.range, understood.now);
  const until = end < understood.now ? end : understood.now;
  const { data, meta } = await facts.rootCause(tenant, {
    window: { start: formatNanos(start), end: formatNanos(until) },
    ...(understood.against !== null && { baseline: understood.against }),
    limit: 10,
  });
  const [first, second] = data.ranked;
  // Nothing to hold it against, or nothing stands out: the errors themselves still say something.
  if (first === undefined || first.confidence < STANDS_OUT) return explain(asking);
  const ref = { type: first.component_type, id: first.component_id };
  return {
    sentences: [
      say(
        `${refName(ref)} is the most likely cause ${held.words}: ${quote(first.reasons[0] ?? '', 240)}.`,
        ...first.evidence.slice(0, 5),
      ),
      ...first.reasons.slice(1, 3).map((reason) => say(`Also: ${quote(reason, 160)}.`, first.evidence[0])),
      ...(second === undefined
        ? []
        : [
            say(
              `Next, at ${percent(second.score)} against ${percent(first.score)}: ${refName({ type: second.component_type, id: second.component_id })}.`,
              second.evidence[0],
            ),
          ]),
      ...(held.note === null ? [] : [say(held.note)]),
    ],
    confidence: first.confidence,
    lists: [
      {
        name: 'ranked',
        items: data.ranked.map(({ component_type: type, component_id: id, score, reasons }) => ({
          forms: [`${refName({ type, id })} ${percent(score)}: ${oneLine(reasons[0] ?? '')}`],
        })),
      },
    ],
    next: [
      { tool: 'explain', arguments: { component: toolName(ref) } },
      { tool: 'health', arguments: { component: toolName(ref) } },
    ],
    coverage: data.baseline.assumed ? ['held against the time before it, as nobody said when all was well'] : [],
    metas: [meta],
  };
};

// As the ranking itself says: below it the first is hardly more than the noise of a healthy minute.
const STANDS_OUT = 0.3;
