/** What two or more sides of a comparison differ in, in words. */
import { differenceWords } from '../../agent/compare.ts';
import { healthWords, millis } from '../../agent/say.ts';
import type { DraftItem } from '../../budget.ts';
import type { CompareInput, Side } from '../../compare.ts';
import { type Asking, type Reply, say, sureOf, toolName } from '../reply.ts';

export async function sideBySide(
  { facts, tenant }: Asking,
  input: CompareInput,
  labels: readonly string[],
): Promise<Reply> {
  const { data, meta } = await facts.compare(tenant, input);
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
  const sentences =
    total === 0
      ? [say(`Nothing is known of ${labels.join(' or ')}: no events.`)]
      : [
          say(
            isNamed
              ? `${words.join('; ')}.`
              : remarks.length > 0
                ? `${remarks.join('. ')}.`
                : differences.length > 0
                  ? `${words.join('; ')}.`
                  : `No difference beyond chance: ${words.join('; ')}.`,
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

function sideWords(side: Side): string {
  const { p50_ms, p95_ms } = side;
  return `${healthWords(side)}${p50_ms === null || p95_ms === null ? '' : `, p50 ${millis(p50_ms)}, p95 ${millis(p95_ms)}`}`;
}

// Two components say other things in other spans: what tells them apart is how well and how fast they are.
const OWN_KINDS: ReadonlySet<string> = new Set(['attribute', 'template', 'span', 'span_latency', 'version']);
