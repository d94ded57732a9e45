/**
 * Questions in words, asked of recorded incidents as people and agents put them: is what was asked for, about whom and over which time
 * understood, and does the answer say what is so. `ask-questions.jsonl` grew with the parser. Each of the other sets was written before it
 * was first run, with its answers; what came out then is the honest figure (docs/insight.md), and what it taught went into the method.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../model/json.ts';
import type { AskAnswer } from '../../query/ask/ask.ts';
import type { QuerySystem } from '../support/query-system.ts';
import { startIncidents } from './ask-incidents.ts';
import type { EvaluationOptions } from './evaluation.ts';

export interface Question {
  /** The tenant that has the incident, see ask-incidents.ts. */
  on: string;
  ask: string;
  context?: JsonObject;
  /** Asked before, one after the other: the last answer is the context. */
  after?: string | string[];
  /** Any of them is right. */
  intent: string | string[] | null;
  /** Exactly these, in any order; absent: not looked at. */
  components?: string[];
  ids?: string[];
  /** As in `parsed`; `*` for any. */
  time?: string | null;
  /** Patterns, all of which its first sentence holds: what a reader in a hurry must find there. */
  leads?: string[];
  /** Patterns, all of which the answer holds. */
  says?: string[];
  /** None of which it holds. */
  never?: string[];
  /** What must be asked back. */
  clarify?: string;
}

export interface Outcome {
  question: Question;
  /** Why it is wrong; empty: it is right. */
  wrong: string[];
  answer: AskAnswer;
}

export async function evaluateAsk({ print }: EvaluationOptions): Promise<Record<string, unknown>> {
  const sets: Record<string, object> = {};
  for (const name of SETS) {
    // Told anew for each set: what happened in the last five minutes is not so any more after all of them.
    const system = await startIncidents();
    const outcomes = await askAll(system, questionsOf(`ask-${name}.jsonl`)).finally(() => system.stop());
    sets[name] = { questions: outcomes.length, right: rightOf(outcomes), share: shareOf(outcomes) };
    for (const { question, wrong, answer } of outcomes.filter(({ wrong }) => wrong.length > 0))
      print(`  wrong on ${question.on}: ${question.ask}\n    ${wrong.join('; ')}\n    ${answer.answer.slice(0, 240)}`);
    print(`${name}: ${rightOf(outcomes)} of ${outcomes.length} right (${percentOf(outcomes)}%)`);
  }
  const { questions, ...others } = sets;
  return { ...questions, ...others };
}

export const SETS = [
  'questions',
  'holdout',
  'unseen',
  'unseen-2',
  'unseen-3',
  'unseen-4',
  'unseen-5',
  'unseen-6',
  'unseen-7',
  'unseen-8',
  'unseen-9',
] as const;

export const rightOf = (outcomes: readonly Outcome[]) => outcomes.filter(({ wrong }) => wrong.length === 0).length;
export const shareOf = (outcomes: readonly Outcome[]) => rightOf(outcomes) / outcomes.length;
const percentOf = (outcomes: readonly Outcome[]) => Math.round(1000 * shareOf(outcomes)) / 10;

export function questionsOf(file: string): Question[] {
  return readFileSync(join(import.meta.dirname, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Question);
}

export async function askAll(system: QuerySystem, questions: readonly Question[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const question of questions) outcomes.push(await askOne(system, question));
  return outcomes;
}

async function askOne({ service }: QuerySystem, question: Question): Promise<Outcome> {
  const now = Date.now();
  const told = (text: string) =>
    text.replace(/\{(clock|iso|date)-(\d+)m\}/g, (_, form, minutes) => timeAt(now - minutes * 60_000, form));
  let context = question.context;
  for (const before of [question.after ?? []].flat()) {
    const { data } = await service.ask(question.on, { question: told(before), context });
    context = { parsed: data.parsed as JsonObject };
  }
  const { data: answer } = await service.ask(question.on, { question: told(question.ask), context });
  const wrong: string[] = [];
  const parsed = answer.parsed!;
  const intents = Array.isArray(question.intent) ? question.intent : [question.intent];
  if (!intents.includes(parsed.intent)) wrong.push(`intent ${parsed.intent}, not ${intents.join(' or ')}`);
  if (question.components !== undefined && !sameSet(parsed.components, question.components))
    wrong.push(`components ${parsed.components.join()}, not ${question.components.join()}`);
  if (question.ids !== undefined && !sameSet(parsed.ids, question.ids))
    wrong.push(`ids ${parsed.ids.join()}, not ${question.ids.join()}`);
  if (
    question.time !== undefined &&
    (question.time === '*' ? parsed.time_range === null : parsed.time_range !== question.time)
  )
    wrong.push(`time ${parsed.time_range}, not ${question.time}`);
  if (question.clarify !== answer.clarification_needed && (question.clarify !== undefined || answer.found !== false))
    wrong.push(`asks back for ${answer.clarification_needed}, not ${question.clarify}`);
  const first = firstSentence(answer.answer);
  for (const pattern of question.leads ?? [])
    if (!new RegExp(pattern, 'i').test(first)) wrong.push(`does not begin with ${pattern}`);
  for (const pattern of question.says ?? [])
    if (!new RegExp(pattern, 'i').test(answer.answer)) wrong.push(`does not say ${pattern}`);
  for (const pattern of question.never ?? [])
    if (new RegExp(pattern, 'i').test(answer.answer)) wrong.push(`says ${pattern}`);
  if (answer.confidence === undefined || answer.evidence === undefined || answer.suggestions === undefined)
    wrong.push('lacks confidence, evidence or suggestions');
  for (const id of (answer.evidence ?? []).slice(0, 3))
    if (!(await existsId(service, question.on, id))) wrong.push(`evidence ${id} does not exist`);
  return { question, wrong, answer };
}

/** Up to the first full stop that ends a sentence outside of what is quoted. */
function firstSentence(answer: string): string {
  return /^(?:«[^»]*»|[^.«]|\.(?!\s|$))*/.exec(answer)![0];
}

async function existsId(service: QuerySystem['service'], tenant: string, id: string): Promise<boolean> {
  const found = await Promise.allSettled([service.event(tenant, id), service.insight(tenant, id)]);
  return found.some(({ status }) => status === 'fulfilled');
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}

function timeAt(ms: number, form: string): string {
  const iso = new Date(ms).toISOString();
  return form === 'clock' ? iso.slice(11, 16) : form === 'date' ? iso.slice(0, 10) : iso;
}
