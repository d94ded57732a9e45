/**
 * Questions in words, asked of recorded incidents as people and agents put them: is what was asked for, about whom and over which time
 * understood, and does the answer say what is so. `ask-questions.jsonl` grew with the parser; `ask-holdout.jsonl` was written when the
 * parser was done and is not looked at while it is worked on.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../model/json.ts';
import { formatNanos } from '../../model/time.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import type { AskAnswer } from '../../query/ask/ask.ts';
import type { PostedEvent } from '../../query/records.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';
import type { EvaluationOptions } from './evaluation.ts';
import { incidents } from './incidents.ts';

export interface Question {
  /** The incident, each in a tenant of its own: `shop`, `slow`, `ledger`, `agents`, `empty`. */
  on: string;
  ask: string;
  context?: JsonObject;
  /** Asked before: its answer is the context. */
  after?: string;
  /** Any of them is right. */
  intent: string | string[] | null;
  /** Exactly these, in any order; absent: not looked at. */
  components?: string[];
  ids?: string[];
  /** As in `parsed`; `*` for any. */
  time?: string | null;
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
  const system = await startIncidents();
  try {
    const known = await askAll(system, questionsOf('ask-questions.jsonl'));
    const holdout = await askAll(system, questionsOf('ask-holdout.jsonl'));
    for (const [name, outcomes] of [
      ['questions', known],
      ['hold-out', holdout],
    ] as const) {
      for (const { question, wrong, answer } of outcomes.filter(({ wrong }) => wrong.length > 0))
        print(
          `  wrong on ${question.on}: ${question.ask}\n    ${wrong.join('; ')}\n    ${answer.answer.slice(0, 240)}`,
        );
      print(`${name}: ${rightOf(outcomes)} of ${outcomes.length} right (${percentOf(outcomes)}%)`);
    }
    return {
      questions: known.length,
      right: rightOf(known),
      share: shareOf(known),
      holdout: { questions: holdout.length, right: rightOf(holdout), share: shareOf(holdout) },
    };
  } finally {
    await system.stop();
  }
}

export const rightOf = (outcomes: readonly Outcome[]) => outcomes.filter(({ wrong }) => wrong.length === 0).length;
export const shareOf = (outcomes: readonly Outcome[]) => rightOf(outcomes) / outcomes.length;
const percentOf = (outcomes: readonly Outcome[]) => Math.round(1000 * shareOf(outcomes)) / 10;

export function questionsOf(file: string): Question[] {
  return readFileSync(join(import.meta.dirname, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Question);
}

/** Three incidents of services, one of agents and workflows, and a tenant of whom nothing is known. */
export async function startIncidents(): Promise<QuerySystem> {
  const system = await startQuerySystem();
  const now = Date.now();
  const tenants = ['shop', 'slow', 'ledger'];
  for (const [i, { bodies }] of incidents(now).entries())
    for (const { signal, body } of bodies)
      await system.send(signal, jsonToProtobuf(signal, Buffer.from(JSON.stringify(body))), tenants[i]!);
  await system.service.postEvents('agents', agentEvents(now));
  await system.needs.settled();
  for (const tenant of [...tenants, 'agents']) await system.service.generate(tenant, { time_range: '1h' });
  return system;
}

/** A planner and its helpers: agent-123 fails always, workflow-789 times out, agent-7 is well, agent-900 went silent two days ago. */
export function agentEvents(nowMs: number): PostedEvent[] {
  const events: PostedEvent[] = [];
  const tell = (
    minutesAgo: number,
    type: string,
    id: string,
    level: PostedEvent['level'],
    message: string,
    more = {},
  ) =>
    events.push({
      event_type: level === 'ERROR' ? 'error' : 'log',
      component_type: type,
      component_id: id,
      correlation_id: `${id}-run-${Math.floor(minutesAgo / 5)}`,
      level,
      message,
      timestamp: formatNanos(BigInt(Math.round(nowMs - minutesAgo * 60_000)) * 1_000_000n),
      ...more,
    });
  for (let i = 0; i < 20; i++) {
    tell(2 + i, 'agent', 'agent-123', 'ERROR', 'tool call web_search failed: 429 rate limit exceeded');
    tell(1 + i, 'agent', 'agent-7', 'INFO', `answered question ${i} with 3 tools`);
    tell(1.5 + i, 'service', 'vector-store', 'INFO', `retrieved ${i + 2} documents`);
  }
  for (let i = 0; i < 6; i++) {
    tell(30 - 4 * i, 'workflow', 'workflow-789', 'INFO', 'step fetch completed', {
      operation_id: `nightly-${i}`,
      data: { step: 'fetch', status: 'completed' },
    });
    tell(
      29 - 4 * i,
      'workflow',
      'workflow-789',
      'ERROR',
      'step summarize: timeout after 30000 ms waiting for the model',
      { operation_id: `nightly-${i}`, data: { step: 'summarize', status: 'failed' } },
    );
  }
  tell(6, 'workflow', 'workflow-12', 'INFO', 'step load completed', {
    operation_id: 'import-5',
    data: { step: 'load', status: 'completed' },
  });
  tell(5, 'workflow', 'workflow-12', 'INFO', 'step index half done', {
    operation_id: 'import-5',
    data: { step: 'index', progress: 0.3 },
  });
  for (let i = 0; i < 5; i++) tell(2880 + i, 'agent', 'agent-900', 'INFO', 'heartbeat of the crawler');
  return events;
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
  const before =
    question.after === undefined ? null : await service.ask(question.on, { question: told(question.after) });
  const context = before === null ? question.context : { parsed: before.data.parsed as JsonObject };
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
