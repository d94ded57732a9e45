import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startProgram } from '../demo/processes.ts';
import { type Answers, askAbout, type Insight, untilReadable } from '../demo/questions.ts';
import { EXPORT_DELAY_MS, FAULTS, type Fault, type Order, openShop } from '../demo/shop.ts';
import { type CommandContext, EXIT, numberOption, type Paint, painter, UsageError, urlOption } from './command.ts';

export const DEMO_HELP = `ai-debug demo runs three real services, breaks one, and asks the running system what happened.

An HTTP front, an order service with its own store and three replicas of an inventory run as separate processes,
instrumented only by --import @ai-debug/instrumentation/register. Orders flow, first while all is well, then while
something is broken. All that is printed after that came over the REST API.

  --fault NAME     ${Object.entries(FAULTS)
    .map(([name, { story }]) => `${name.padEnd(11)}${story}`)
    .join(`\n${' '.repeat(19)}`)}
                   (default exception)
  --seconds N      length of each of the two phases (default 8; at least 6, as replicas may lag by 5 in good health)
  --url URL        the system to ask (default http://127.0.0.1:4319); where none answers, one is started for the demo
  --otlp URL       where that system takes OTLP/HTTP (default http://127.0.0.1:4318)
  --json           print the answers as JSON

Exit code 0: the culprit was named, or nobody where nothing was broken. 1: not. 2: usage.
`;

export async function demo(context: CommandContext, args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    context.stdout.write(DEMO_HELP);
    return EXIT.ok;
  }
  // Undone in reverse, however it ends: a failure, Ctrl-C, or the last line.
  const undo: (() => Promise<unknown>)[] = [];
  try {
    return await run(context, options, undo);
  } finally {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  }
}

async function run(context: CommandContext, options: DemoOptions, undo: (() => Promise<unknown>)[]): Promise<number> {
  const { fault, phaseMs } = options;
  const say = narrator(context, options.json);
  const directory = await mkdtemp(join(tmpdir(), 'ai-debug-demo-'));
  undo.push(() => rm(directory, { recursive: true, force: true }));
  const system = await findSystem(context, options, join(directory, 'system'));
  undo.push(system.stop);
  say('system', system.own ? `started for this demo: ${system.url}` : `found: ${system.url}`);
  const shop = await openShop(directory, system.otlp);
  undo.push(shop.stop);
  say('shop', 'front, orders, inventory-1, inventory-2, inventory-3 are open');

  const healthy = await shop.sell(phaseMs, context.signal);
  say('healthy', orderCount(healthy));
  const repair = await shop.break(fault);
  undo.push(repair);
  say('fault', FAULTS[fault].story);
  const start = new Date().toISOString();
  const [troubled] = await Promise.all([
    shop.sell(phaseMs, context.signal),
    sleep(phaseMs, undefined, { signal: context.signal }).then(repair),
  ]);
  const end = new Date().toISOString();
  say('after', orderCount(troubled));

  const api = `${system.url}/api/debug`;
  await untilReadable(api, troubled.at(-1)!, 6 * EXPORT_DELAY_MS, context.signal);
  const answers = await askAbout(api, { start, end }, troubled);
  const verdict = judge(fault, answers);

  const orders = { healthy: countOf(healthy), after: countOf(troubled) };
  if (options.json) context.stdout.write(`${JSON.stringify({ fault, orders, ...answers, verdict })}\n`);
  else context.stdout.write(report(painter(context.stdout), fault, answers, verdict));
  return verdict.right ? EXIT.ok : EXIT.trouble;
}

/** What the answers say, beside what was really done. */
interface Verdict {
  /** Who is to blame, the first of whom the worst insight names first; null when nobody is. */
  culprit: { component_id: string; node_id: string | null } | null;
  because: string | null;
  expected: { component_id: string; node_id: string } | null;
  right: boolean;
}

function judge(fault: Fault, { insights }: Answers): Verdict {
  const { culprit: expected } = FAULTS[fault];
  const [worst] = insights;
  const blamed = worst?.affected_components[0];
  if (worst === undefined || blamed === undefined) {
    return { culprit: null, because: null, expected, right: expected === null };
  }
  const agreeing = insights.filter(({ affected_components: [first] }) => first?.id === blamed.id);
  const node_id = agreeing.map(nodeNamedBy).find((node) => node !== null) ?? null;
  const culprit = { component_id: blamed.id, node_id };
  return { culprit, because: worst.title, expected, right: culprit.component_id === expected?.component_id };
}

/** The one replica that the evidence names, where it does: of an error's root cause, or of a state that differs. */
function nodeNamedBy({ evidence: { numbers } }: Insight): string | null {
  const { root_cause, nodes = [] } = numbers as { root_cause?: { node_id: string | null }; nodes?: string[] };
  return root_cause?.node_id ?? (nodes.length === 1 ? nodes[0]! : null);
}

const END_WITH_PARENT = new URL(`./end-with-parent${extname(import.meta.filename)}`, import.meta.url).href;

interface System {
  /** Of the REST API, `http://host:port`. */
  url: string;
  otlp: string;
  own: boolean;
  stop(): Promise<void>;
}

/** The system that answers at the URL, else one of our own on a fresh data folder and free ports. */
async function findSystem({ entry }: CommandContext, options: DemoOptions, dataDir: string): Promise<System> {
  const answers = await fetch(`${options.url}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    () => false,
  );
  if (answers) return { url: options.url, otlp: options.otlp, own: false, stop: async () => {} };
  const ports = ['--otlp-grpc-port=0', '--otlp-http-port=0', '--http-port=0', '--grpc-port=0'];
  const program = await startProgram({
    name: 'ai-debug up',
    args: ['--import', END_WITH_PARENT, entry, 'up', '--json', '--log-level=warn', `--data-dir=${dataDir}`, ...ports],
    hide: /^(DEBUG_|NODE_OPTIONS$)/,
    ready: /^\{.*\}$/m,
  });
  const { http, otlp_http } = JSON.parse(program.said[0]) as { http: string; otlp_http: string };
  return { url: http, otlp: otlp_http, own: true, stop: program.stop };
}

function countOf(orders: readonly Order[]): { placed: number; failed: number; median_ms: number; max_ms: number } {
  const durations = orders.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
  const placed = orders.filter((order) => order.placed).length;
  return {
    placed,
    failed: orders.length - placed,
    median_ms: Math.round(durations[durations.length >> 1] ?? 0),
    max_ms: Math.round(durations.at(-1) ?? 0),
  };
}

function orderCount(orders: readonly Order[]): string {
  const { placed, failed, median_ms, max_ms } = countOf(orders);
  return `${placed} orders placed, ${failed} failed; half of them within ${median_ms} ms, all within ${max_ms} ms`;
}

/** What happens while it runs: part of the text for people, on stderr beside JSON. */
function narrator({ stdout, stderr }: CommandContext, json: boolean): (what: string, text: string) => void {
  const output = json ? stderr : stdout;
  const paint = painter(output);
  return (what, text) => output.write(`${paint('cyan', what.padEnd(9))}${text}\n`);
}

function report(paint: Paint, fault: Fault, answers: Answers, verdict: Verdict): string {
  const { health, failure, consistency, insights } = answers;
  const lines: string[] = [];
  const section = (question: string, request: string) =>
    lines.push('', `${paint('bold', question)}  ${paint('dim', request)}`);

  section('Which component is unhealthy?', 'GET /analytics/system-health, POST /analytics/component-health');
  for (const { component_id, status, health_score, insights: own } of health) {
    const warnings = own.filter(({ severity }) => severity !== 'info').length;
    const score = health_score === null ? '' : ` ${health_score}`;
    const also = warnings === 0 ? '' : `, ${warnings} insight${warnings === 1 ? '' : 's'} open`;
    const colour = status !== 'healthy' ? 'red' : warnings > 0 ? 'yellow' : 'green';
    lines.push(`  ${component_id.padEnd(12)}${paint(colour, `${status}${score}${also}`)}`);
  }

  section(
    'Why did this order fail?',
    failure === null ? '' : `GET /errors/{id}/explain, order ${failure.operation_id}`,
  );
  if (failure === null) lines.push('  none failed');
  else {
    lines.push(`  ${failure.description}`);
    for (const { component_id, message } of failure.chain)
      lines.push(`    ${paint('dim', component_id.padEnd(12))}${message}`);
    for (const { action, why } of failure.suggestions) lines.push(`  ${paint('cyan', '→')} ${action} (${why})`);
  }

  section('Which node diverged?', 'POST /analytics/consistency');
  if (consistency === null) lines.push('  nobody reported a state');
  else lines.push(`  ${paint(consistency.severity === 'info' ? 'green' : 'red', consistency.summary)}`);

  section('What else was found?', 'POST /insights/generate');
  if (insights.length === 0) lines.push('  nothing');
  for (const { severity, confidence_score, title, summary } of insights) {
    const colour = severity === 'critical' ? 'red' : 'yellow';
    lines.push(
      `  ${paint(colour, severity)} ${title} ${paint('dim', `(confidence ${confidence_score})`)}`,
      `    ${summary}`,
    );
  }

  const named = verdict.culprit === null ? 'nobody' : `${verdict.culprit.node_id ?? verdict.culprit.component_id}`;
  const truth = verdict.expected === null ? 'nobody' : verdict.expected.node_id;
  lines.push(
    '',
    `${paint('bold', 'Blamed:')} ${named}`,
    `${paint('bold', 'True:')}   ${truth} (${FAULTS[fault].story})`,
    '',
  );
  return lines.join('\n');
}

interface DemoOptions {
  fault: Fault;
  phaseMs: number;
  url: string;
  otlp: string;
  json: boolean;
  help: boolean;
}

function parseOptions(args: string[]): DemoOptions {
  const { values } = parseArgs({
    args,
    options: {
      fault: { type: 'string', default: 'exception' },
      seconds: { type: 'string', default: '8' },
      url: { type: 'string', default: 'http://127.0.0.1:4319' },
      otlp: { type: 'string', default: 'http://127.0.0.1:4318' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (!Object.hasOwn(FAULTS, values.fault)) {
    throw new UsageError(`--fault takes one of ${Object.keys(FAULTS).join(', ')}, not '${values.fault}'`);
  }
  return {
    fault: values.fault as Fault,
    phaseMs: numberOption('seconds', values.seconds, 6)! * 1000,
    url: urlOption('url', values.url),
    otlp: urlOption('otlp', values.otlp),
    json: values.json,
    help: values.help,
  };
}
