/** What two or more sides of a comparison differ in, in words. */
import { differenceWords } from '../../agent/compare.ts';
import { healthWords, millis, percent, refName } from '../../agent/say.ts';
import type { DraftItem } from '../../budget.ts';
import type { CompareInput, Side } from '../../compare.ts';
import { type Asking, type Reply, say, sureOf, toolName } from '../reply.ts';
import { means } from '../vocabulary.ts';

export async function sideBySide(asking: Asking, input: CompareInput, labels: readonly string[]): Promise<Reply> {
  const { data, meta } = await asking.facts.compare(asking.tenant, input);
  const { sides } = data;
  // A side's own name tells it from the others, and nobody anything.
  const own = new Set([...sides.map(({ label }) => label), ...(input.components ?? []).map(({ id }) => id)]);
  const isNamed = input.components != null;
  const differences = data.differences.filter(
    ({ kind, value }) => !own.has(value ?? '') && !(isNamed && OWN_KINDS.has(kind)),
  );
  const least = Math.min(...sides.map(({ total_events }) => total_events));
  const total = sides.reduce((sum, side) => sum + side.total_events, 0);
  const worst = sides
    .map((side, i) => ({ side, label: labels[i]! }))
    .filter(({ side }) => side.health_score !== null)
    .sort((a, b) => a.side.health_score! - b.side.health_score!)[0];
  const words = sides.map((side, i) => `${labels[i]}: ${sideWords(side)}`);
  const remarks = data.remarks.map((remark) =>
    sides.reduce((text, { label }, i) => text.replaceAll(label, labels[i]!), remark),
  );
  const { component_type: type, component_id: id } = input;
  const whose = type == null || id == null ? '' : `of ${refName({ type, id })} `;
  const sentences =
    total === 0
      ? [say(`Nothing is known of ${labels.join(' or ')}: no events.`)]
      : [
          ...(isNamed || remarks.length + differences.length > 0 ? measured(asking, sides, labels, isNamed) : []),
          say(
            isNamed
              ? `${words.join('; ')}.`
              : remarks.length > 0
                ? `${remarks.join('. ')}.`
                : differences.length > 0
                  ? `${words.join('; ')}.`
                  : `No difference ${whose}beyond chance: ${words.join('; ')}.`,
          ),
          ...(differences[0] === undefined
            ? []
            : [say(`Greatest difference: ${differenceWords(differences[0], labels)}.`)]),
        ];
  return {
    sentences,
    confidence: sureOf(least),
    lists: [
      { name: 'sides', items: words.map((each): DraftItem => ({ forms: [each] })) },
      {
        name: 'differences',
        items: differences.map((each): DraftItem => ({ forms: [differenceWords(each, labels)] })),
      },
    ],
    next:
      worst === undefined || input.components == null
        ? []
        : [{ tool: 'explain', arguments: { component: toolName(input.components[labels.indexOf(worst.label)]!) } }],
    metas: [meta],
  };
}

/** "Is it slower than before", "which of them is worse": in the measure that is asked for, of two sides. */
function measured({ understood }: Asking, sides: readonly Side[], labels: readonly string[], isNamed: boolean) {
  const [first, second] = sides;
  if (first === undefined || second === undefined || sides.length > 2) return [];
  const asks = (...concepts: Parameters<typeof means>[1][]) =>
    understood.words.some((word) => means(word, ...concepts));
  const isOfTime = asks('slow', 'fast', 'long', 'took', 'quantile') && first.p50_ms !== null && second.p50_ms !== null;
  if (!isOfTime && !asks('fail', 'fault', 'ill', 'better', 'trouble')) return [];
  const [a, b] = isOfTime ? [first.p50_ms!, second.p50_ms!] : [first.error_rate ?? 0, second.error_rate ?? 0];
  const words = (side: Side) =>
    isOfTime
      ? `p50 ${millis(side.p50_ms!)}, p95 ${millis(side.p95_ms!)}`
      : `${percent(side.error_rate ?? 0)} of events are errors`;
  const isAlike = a === b || (isOfTime && Math.max(a, b) < SLOWER * Math.min(a, b));
  const [less, more] = isOfTime ? ['faster', 'slower'] : ['better', 'worse'];
  const whose = understood.components.map(refName).join(' and ');
  const both = `${labels[0]}: ${words(first)}; ${labels[1]}: ${words(second)}`;
  if (isAlike) return [say(`No difference that counts${whose === '' ? '' : ` of ${whose}`}: ${both}.`)];
  // Of two times the later is held against the earlier.
  if (!isNamed && isOfTime) return [say(`${whose || 'All of it'} got ${b > a ? more : less}: ${both}.`)];
  if (!isNamed) return [say(`Errors${whose === '' ? '' : ` of ${whose}`} went ${b > a ? 'up' : 'down'}: ${both}.`)];
  return [say(`${labels[a > b ? 0 : 1]} is ${more}: ${both}.`)];
}

// What a degradation is (CONTRACT.md section 6).
const SLOWER = 1.2;

function sideWords(side: Side): string {
  const { p50_ms, p95_ms } = side;
  return `${healthWords(side)}${p50_ms === null || p95_ms === null ? '' : `, p50 ${millis(p50_ms)}, p95 ${millis(p95_ms)}`}`;
}

// Two components say other things in other spans: what tells them apart is how well and how fast they are.
const OWN_KINDS: ReadonlySet<string> = new Set(['attribute', 'template', 'span', 'span_latency', 'version']);
