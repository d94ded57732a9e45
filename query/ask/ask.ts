/**
 * Questions in words, answered without a model: what is asked for, about whom and over which time is read off the question, the facts
 * answer it, and `parsed` says what was understood. The same question on the same data has the same answer. A model, where one is
 * configured, only words it.
 */
import { DebugError } from '../../base/errors.ts';
import type { JsonObject } from '../../model/json.ts';
import { parseNanos } from '../../model/time.ts';
import { rawCost, rawCostOf } from '../agent/raw.ts';
import { refName } from '../agent/say.ts';
import type { Answer } from '../answer.ts';
import { type AgentAnswer, budgetOf, fitToBudget, nameOf, quote, type RawCost } from '../budget.ts';
import type { Claim, Wording } from '../needs.ts';
import { affected } from './answers/affected.ts';
import { calls } from './answers/calls.ts';
import { changes, compare } from './answers/compare.ts';
import { errors, patterns } from './answers/errors.ts';
import { explain } from './answers/explain.ts';
import { health } from './answers/health.ts';
import { progress, where } from './answers/operations.ts';
import { help, inventory, traffic } from './answers/overview.ts';
import { prediction } from './answers/prediction.ts';
import { rootCause } from './answers/root-cause.ts';
import { slow } from './answers/slow.ts';
import { consistency, state } from './answers/state.ts';
import type { Intent } from './cues.ts';
import type { AskFacts } from './known.ts';
import { ID_WORDS, POINTING_WORDS, WHOLE_WORDS } from './lexicon.ts';
import { type Answerer, type Asking, draftOf, isOf, type Reply, say, unknownNames, whichOf } from './reply.ts';
import { understand } from './understand.ts';
import { CHOICES_MAX, type Parsed, parsedOf, type Unclear } from './understood.ts';

export type { Intent } from './cues.ts';
export type { AskFacts } from './known.ts';
export type { Parsed } from './understood.ts';

export interface AskInput {
  question: string;
  /** What the question leaves out: `component`, `id`, `operation_id`, `time_range` of the conversation so far, or `parsed` of the answer before. */
  context?: JsonObject | null | undefined;
  /** 50 to 20,000; absent: 1,500. */
  budget_tokens?: number | null | undefined;
  /** What the face adds to the answer, at most a fifth of the budget. */
  reserved_tokens?: number | undefined;
}

/** CONTRACT section 8. What does not fit the budget is left out, `parsed` last. */
export interface AskAnswer extends AgentAnswer {
  confidence?: number;
  /** Ids that exist: each can be asked for. */
  evidence?: string[];
  suggestions?: string[];
  parsed?: Parsed;
  /** What must be said for an answer. */
  clarification_needed?: string;
}

export interface AskAnswers {
  /** @throws DebugError DISABLED where `DEBUG_AI_QUERY_ENABLED` is false */
  ask(tenant: string, input: AskInput): Promise<Answer<AskAnswer>>;
}

export interface AskSettings {
  /** `DEBUG_AI_QUERY_ENABLED`. */
  enabled: boolean;
  /** Absent: no model is configured. */
  wording?: Wording | undefined;
}

const ANSWERERS: Record<Intent, Answerer> = {
  ...{ explain, health, slow, compare, changes, progress, consistency, calls, state, patterns, errors, where },
  ...{ root_cause: rootCause, prediction, traffic, inventory, affected, help },
};

export function createAskAnswers(facts: AskFacts, { enabled, wording }: AskSettings): AskAnswers {
  return {
    async ask(tenant, { question, context, budget_tokens, reserved_tokens }) {
      if (!enabled)
        throw new DebugError('DISABLED', 'questions in words are switched off (DEBUG_AI_QUERY_ENABLED)', {
          reason: 'AI_QUERY_DISABLED',
        });
      const begun = await facts.events(tenant, { limit: 1 });
      const understood = await understand(
        facts,
        tenant,
        { question, context: context ?? null },
        parseNanos(begun.meta.as_of)!,
      );
      const asking: Asking = { facts, tenant, understood };
      const reply = await replyTo(asking);
      const plain = reply.sentences.map(({ text }) => text).join(' ');
      const mayWord = wording !== undefined && reply.clarification === undefined && reply.found !== false;
      const worded = mayWord ? await wording(question, reply.sentences) : null;
      const confidence = reply.confidence * (reply.clarification === undefined ? understood.certainty : 1);
      const raw = reply.raw ?? (await rawOfSubject(asking, reply));
      const draft = draftOf(
        { ...reply, raw },
        worded ?? plain,
        { parsed: parsedOf(understood, reply.mentioned) as JsonObject },
        confidence,
      );
      const data = fitToBudget(draft, budgetOf(budget_tokens), reserved_tokens) as AskAnswer;
      return { data, meta: { ...begun.meta, ...reply.metas[0], count: 1, truncated: false } };
    },
  };
}

async function replyTo(asking: Asking): Promise<Reply> {
  const { intent, unknown, unclear } = asking.understood;
  if (unclear !== null) return askBack(asking, unclear);
  const isAboutAll = intent === 'inventory' || intent === 'help';
  if (unknown.length > 0 && !isAboutAll && intent !== null) return unknownNames(asking);
  if (intent === null)
    return askBack(asking, {
      what: 'question',
      question:
        'That is not a question that telemetry answers, or not one in English. Ask about health, failures, latency, changes, comparisons, progress, consistency, patterns or where something is.',
      choices: [
        'Is everything healthy?',
        'What is failing and why?',
        'What is slow?',
        'What changed in the last hour?',
      ],
    });
  const missing = await whatIsMissing(asking);
  if (missing !== null) return askBack(asking, missing);
  const reply = await ANSWERERS[intent](asking);
  const { wanted } = asking.understood;
  const first = [
    ...(wanted.has('act') ? [say('Nothing is done from here: questions only read.')] : []),
    ...(wanted.has('advice') ? adviceOf(reply) : []),
  ];
  return first.length === 0 ? reply : { ...reply, sentences: [...first, ...reply.sentences] };
}

/** The first suggestion in words, resting on what the answer does; where there is none that is said, as nothing may be wrong either. */
function adviceOf({ suggestions = [], sentences, found, confidence }: Reply): Claim[] {
  if (found === false || confidence === 0) return [];
  const [first] = suggestions;
  if (first === undefined) return [say('There is nothing to advise.')];
  const words = typeof first === 'string' ? first : `${quote(first.action)}, as ${quote(first.why)}`;
  return [say(`First: ${words}.`, ...(sentences[0]?.evidence ?? []))];
}

async function askBack({ facts, tenant }: Asking, { what, question, choices }: Unclear): Promise<Reply> {
  const { meta } = await facts.events(tenant, { limit: 1 });
  const hint = choices.length === 0 ? '' : ` For example: ${choices.join(', ')}.`;
  return { sentences: [say(`${question}${hint}`)], confidence: 0.5, clarification: { what, choices }, metas: [meta] };
}

/** What the events that the answer is about would have cost; null where it is about none. */
async function rawOfSubject({ facts, tenant, understood }: Asking, reply: Reply): Promise<RawCost | null> {
  if (reply.found === false || reply.clarification !== undefined || reply.confidence === 0) return null;
  const { components, ids, range, intent, type } = understood;
  if (intent === 'help' || intent === 'inventory') return null;
  const [id] = ids;
  if (id !== undefined) {
    if (id.kind === 'event' || id.kind === 'insight') return null;
    return rawCostOf((await facts.events(tenant, { [`${id.kind}_id`]: id.id, limit: 1000 })).data);
  }
  const held = range.time_range == null && range.start == null ? { time_range: '1h' } : range;
  const { by_component } = (await facts.systemHealth(tenant, held)).data;
  const meant = by_component.filter(
    (each) =>
      (type === null || each.component_type === type) &&
      (components.length === 0 || isOf(components, { type: each.component_type, id: each.component_id })),
  );
  const events = meant.reduce((sum, { total_events }) => sum + total_events, 0);
  const [one] = components;
  return rawCost(facts, tenant, { ...held, ...(one !== undefined && whichOf(one)) }, events);
}

/** "Why is it failing?" out of the blue: whom it is about must be said. */
async function whatIsMissing({ facts, tenant, understood }: Asking): Promise<Unclear | null> {
  const { components, ids, text, words, known, intent, versions, attribute, wanted } = understood;
  if (components.length + ids.length + versions.length > 0 || text !== null || attribute !== null) return null;
  // "Is it over", "how do we fix this": the situation.
  if ((wanted.has('over') && intent !== 'explain') || wanted.has('advice')) return null;
  const anyOf = (set: ReadonlySet<string>) => words.some((word) => set.has(word));
  if (anyOf(WHOLE_WORDS)) return null;
  const isOperation = words.some((word, i) => ID_WORDS.has(word) && DEFINITE.has(words[i - 1] ?? ''));
  if (
    isOperation &&
    (intent === 'progress' || intent === 'where' || intent === 'consistency' || intent === 'explain')
  ) {
    const { data } = await facts.activeOperations(tenant, { limit: CHOICES_MAX });
    const choices = data.map(({ correlation_id }) => nameOf(correlation_id));
    return { what: 'operation_id', question: 'Which operation is meant?', choices };
  }
  // In a longer sentence the word before is what it points to.
  const points = words.length <= POINTING_WORDS_MAX && words.some((_, i) => pointsBack(words, i));
  if (!points || intent === 'help' || intent === 'inventory' || intent === 'affected') return null;
  return {
    what: 'component_id',
    question: 'Which component is meant?',
    choices: known.slice(0, CHOICES_MAX).map(refName),
  };
}

/** "It", but not in "how is it going"; "that" as in "why is that", not as in "the first thing that failed". */
function pointsBack(words: readonly string[], at: number): boolean {
  const word = words[at]!;
  if (!POINTING_WORDS.has(word) || words[at + 1] === 'going') return false;
  // "Whose fault is it", "how bad is it": the situation.
  if (word === 'it' && at === words.length - 1 && words.some((each) => OF_ALL.has(each))) return false;
  // "Is it safe to deploy", "would it be ok to": what it is comes after.
  const behind = words[at + 1] === 'be' ? at + 2 : at + 1;
  if (word === 'it' && !OF_IT.has(words[behind] ?? '') && AFTER_EMPTY_IT.has(words[behind + 1] ?? '')) return false;
  if (word !== 'this' && word !== 'that') return true;
  return at === words.length - 1 || BEFORE_THAT.has(words[at - 1] ?? '');
}

/** What it does is said of something: "is it about to fail". */
const OF_ALL = new Set(['whose', 'bad', 'serious', 'severe']);
const OF_IT = new Set(['going', 'about', 'likely', 'able', 'supposed', 'failing', 'ready']);
const AFTER_EMPTY_IT = new Set(['to', 'that', 'if']);
const BEFORE_THAT = new Set(['why', 'is', 'was', 'did', 'does', 'explain', 'about', 'fix', 'debug']);
const POINTING_WORDS_MAX = 8;
const DEFINITE = new Set(['the', 'this', 'that', 'my', 'our']);
