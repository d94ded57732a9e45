/**
 * What an agent pays: twenty debugging tasks on generated incidents, once with our tools and once by reading the events that the answer
 * rests on, a list of events in JSON. Tokens are counted by o200k_base. A task counts only if the answers hold what it asks for.
 */
import { encode as cl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { encode as o200k } from 'gpt-tokenizer/encoding/o200k_base';
import { z } from 'zod';
import type { Principal } from '../../base/tokens.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import { createAgentAnswers } from '../../query/agent/answers.ts';
import type { EventFilter } from '../../query/events.ts';
import { reservedOf, toolResult } from '../../query/mcp/server.ts';
import { INSTRUCTIONS, TOOLS } from '../../query/mcp/tools.ts';
import { estimateTokens } from '../../query/tokens.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';
import type { EvaluationOptions } from './evaluation.ts';
import { incidents } from './incidents.ts';

interface Task {
  question: string;
  calls: readonly [tool: string, input: Record<string, unknown>][];
  /** All of them stand in the answers. */
  found: readonly RegExp[];
  /** What would have to be read without tools. */
  raw: EventFilter;
}

const TASKS: readonly Task[] = [
  { question: 'Is anything wrong?', calls: [['health', {}]], found: [/inventory/], raw: {} },
  {
    question: 'How is inventory?',
    calls: [['health', { component: 'inventory' }]],
    found: [/unhealthy|degraded/, /connection to database lost/],
    raw: { component_id: 'inventory' },
  },
  {
    question: 'Why do orders fail?',
    calls: [['explain', { component: 'orders' }]],
    found: [/inventory/, /database lost|ECONNREFUSED|connection refused/],
    raw: { component_id: 'orders' },
  },
  {
    question: 'Why did order-99 fail?',
    calls: [['explain', { id: 'order-99' }]],
    found: [/inventory/],
    raw: { correlation_id: 'order-99' },
  },
  {
    question: 'What happened to order-80, step by step?',
    calls: [['trace', { id: 'order-80' }]],
    found: [/front/, /orders/, /inventory/],
    raw: { correlation_id: 'order-80' },
  },
  {
    question: 'Which errors are there, how often?',
    calls: [['search', { min_level: 'ERROR' }]],
    found: [/database lost/, /settlement refused/],
    raw: { min_level: 'ERROR' },
  },
  {
    question: 'When did the database go away?',
    calls: [['search', { q: 'database lost' }]],
    found: [/ECONNREFUSED/, /\d\d:\d\d:\d\d/],
    raw: { component_id: 'inventory' },
  },
  {
    question: 'What separates orders from checkout?',
    calls: [['compare', { components: ['orders', 'checkout'] }]],
    found: [/error/i],
    raw: {},
  },
  { question: 'What is open?', calls: [['changes', {}]], found: [/inventory|database|error/i], raw: {} },
  {
    question: 'Did order-12 go through?',
    calls: [['trace', { id: 'order-12' }]],
    found: [/0 errors|No span failed/],
    raw: { correlation_id: 'order-12' },
  },
  {
    question: 'Is pricing slow?',
    calls: [['health', { component: 'pricing' }]],
    found: [/5% over \d+(\.\d+)?s|5% over \d{3}/],
    raw: { component_id: 'pricing' },
  },
  {
    question: 'Where does checkout-90 spend its time?',
    calls: [['trace', { id: 'checkout-90' }]],
    found: [/pricing/],
    raw: { correlation_id: 'checkout-90' },
  },
  {
    question: 'What changed in pricing?',
    calls: [['compare', { component: 'pricing', time_range: '5m' }]],
    found: [/2\.4\.0|rules cache disabled|rules/],
    raw: { component_id: 'pricing' },
  },
  {
    question: 'What separates slow from fast checkouts?',
    calls: [['compare', { operations: ['checkout-20', 'checkout-90'] }]],
    found: [/pricing|p95|price/i],
    raw: { component_id: 'checkout' },
  },
  {
    question: 'What does pricing complain about?',
    calls: [['search', { component: 'pricing', min_level: 'WARNING' }]],
    found: [/rules cache disabled/],
    raw: { component_id: 'pricing' },
  },
  {
    question: 'Does cart fail?',
    calls: [['health', { component: 'cart' }]],
    found: [/healthy/],
    raw: { component_id: 'cart' },
  },
  {
    question: 'Why is settlement refused?',
    calls: [
      ['search', { q: 'settlement refused', min_level: 'ERROR' }],
      ['explain', { component: 'transfers' }],
    ],
    found: [/replicas disagree/],
    raw: { component_id: 'transfers' },
  },
  {
    question: 'Was a message delivered twice?',
    calls: [['search', { q: 'delivered again' }]],
    found: [/transfer-38/],
    raw: { component_id: 'ledger' },
  },
  {
    question: 'What happened in transfer-44?',
    calls: [['trace', { id: 'transfer-44' }]],
    found: [/settlement refused/],
    raw: { correlation_id: 'transfer-44' },
  },
  {
    question: 'Why does inventory fail? (in words)',
    calls: [['ask', { question: 'why does inventory fail?' }]],
    found: [/database lost|ECONNREFUSED|connection refused/],
    raw: { component_id: 'inventory' },
  },
];

export async function evaluateTokens({ print }: Pick<EvaluationOptions, 'print'>) {
  const system = await startQuerySystem();
  try {
    for (const { bodies } of incidents(Date.now()))
      for (const { signal, body } of bodies)
        await system.send(signal, jsonToProtobuf(signal, Buffer.from(JSON.stringify(body))));
    await system.service.generate(TENANT, {});
    return await measure(system, print);
  } finally {
    await system.stop();
  }
}

const TENANT = 'default';
const AGENT: Principal = { name: 'evaluation', tenant: TENANT, scopes: new Set(['read']) };

async function measure({ service }: QuerySystem, print: (line: string) => void) {
  const heart = { agent: createAgentAnswers(service), ask: service.ask };
  const rawTokens = new Map<string, number>();
  const rows: {
    question: string;
    calls: number;
    tools: number;
    raw: number;
    ratio: number;
    solved: boolean;
    text: string;
  }[] = [];
  for (const { question, calls, found, raw } of TASKS) {
    let text = '';
    for (const [name, input] of calls) {
      const tool = TOOLS.find((each) => each.name === name)!;
      const granted = { reserved_tokens: reservedOf(undefined) };
      const { content, structuredContent } = toolResult(
        await tool.answer(heart, AGENT, tool.input.parse(input), granted),
        undefined,
      );
      text +=
        content.map((part) => (part.type === 'text' ? part.text : '')).join('') + JSON.stringify(structuredContent);
    }
    const key = JSON.stringify(raw);
    const cost = rawTokens.get(key) ?? (await retrieve(service, raw));
    rawTokens.set(key, cost);
    const tools = o200k(text).length;
    rows.push({
      question,
      calls: calls.length,
      tools,
      raw: cost,
      ratio: cost / tools,
      solved: found.every((each) => each.test(text)),
      text,
    });
  }
  print(`${'task'.padEnd(44)} calls  tools      raw  ratio`);
  for (const { question, calls, tools, raw, ratio, solved } of rows)
    print(
      `${question.padEnd(44)} ${String(calls).padStart(5)} ${String(tools).padStart(6)} ${String(raw).padStart(8)} ${ratio.toFixed(1).padStart(6)}${solved ? '' : '  NOT SOLVED'}`,
    );
  const described = TOOLS.map(({ name, description, input, annotations }) => ({
    name,
    description,
    inputSchema: z.toJSONSchema(input),
    annotations,
  }));
  const definitions = o200k(JSON.stringify(described) + INSTRUCTIONS).length;
  const all = rows.map(({ text }) => text).join('\n');
  const off = [o200k, cl100k].map((encode) => estimateTokens(all) / encode(all).length);
  const figures = {
    tools: Math.round(median(rows.map(({ tools }) => tools))),
    definitions,
    median_ratio: round(median(rows.map(({ ratio }) => ratio))),
    max_calls: Math.max(...rows.map(({ calls }) => calls)),
    tasks: rows.length,
    solved: rows.filter(({ solved }) => solved).length,
    estimate_over_o200k: round(off[0]!),
    estimate_over_cl100k: round(off[1]!),
  };
  print(
    `median answer ${figures.tools} tokens, ${figures.median_ratio} times fewer than the raw events; definitions ${definitions} tokens`,
  );
  print(`${figures.solved} of ${figures.tasks} tasks solved, at most ${figures.max_calls} calls each`);
  print(
    `the estimate is ${figures.estimate_over_o200k} times o200k_base, ${figures.estimate_over_cl100k} times cl100k_base`,
  );
  return figures;
}

/** Reads every event that matches, page by page, as a tool without insight would. @returns tokens */
async function retrieve(service: QuerySystem['service'], filter: EventFilter): Promise<number> {
  let tokens = 0;
  let cursor: string | undefined;
  do {
    const { data, meta } = await service.events(TENANT, { ...filter, limit: 100, cursor });
    tokens += o200k(JSON.stringify({ data, meta })).length;
    cursor = meta.next_cursor;
  } while (cursor !== undefined);
  return tokens;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
