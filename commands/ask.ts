import { type CommandContext, EXIT, numberOption, painter, UsageError } from './command.ts';
import { ASKING_HELP, parseAsking, serverOf } from './server.ts';
import { plain, wrapped } from './terminal.ts';

export const ASK_HELP = `ai-debug ask QUESTION… answers a question in words, as: ai-debug ask why does orders fail

  --budget N         tokens that the answer may cost, 50 to 20000 (default 1500)
${ASKING_HELP}
Exit code 0: answered. 1: it has to be asked differently, or nothing is known. 2: usage. 3: no server answers.
`;

export async function ask(context: CommandContext, args: string[]): Promise<number> {
  const { values, positionals } = parseAsking(args, { budget: { type: 'string' } });
  if (values.help) {
    context.stdout.write(ASK_HELP);
    return EXIT.ok;
  }
  const question = positionals.join(' ').trim();
  if (question === '') throw new UsageError('what is the question?');
  const budget = numberOption('budget', values.budget, 1);
  const { data } = await serverOf(context, values).send<AgentAnswer>('POST', '/ai/query', {
    question,
    ...(budget !== undefined && { budget_tokens: Math.floor(budget) }),
  });
  context.stdout.write(values.json ? `${JSON.stringify(data)}\n` : inWords(context, data));
  const isKnown = data.clarification_needed === undefined && data.found !== false && data.confidence !== 0;
  return isKnown ? EXIT.ok : EXIT.trouble;
}

interface AgentAnswer {
  answer: string;
  confidence?: number;
  clarification_needed?: string;
  found?: boolean;
  next?: { tool: string; arguments: Record<string, unknown> }[];
  coverage?: string[];
  shown?: Record<string, string>;
  [list: string]: unknown;
}

/** What is said first, then the lists of the answer, then what to type next. */
function inWords(context: CommandContext, data: AgentAnswer): string {
  const paint = painter(context.stdout);
  const {
    answer,
    confidence,
    next = [],
    coverage = [],
    shown = {},
    as_of,
    receipt,
    parsed,
    clarification_needed,
    ...rest
  } = data;
  const lines = [paint('bold', wrapped(answer, paint))];
  if (confidence !== undefined) lines.push(paint('dim', `confidence ${confidence}`));
  for (const [name, list] of Object.entries(rest)) {
    // Ids are for programs.
    if (!Array.isArray(list) || list.length === 0 || name === 'evidence') continue;
    lines.push('', paint('dim', shown[name] === undefined ? name : `${name} (${shown[name]})`));
    for (const item of list) lines.push(`  ${wrapped(itemText(item), paint, 2)}`);
  }
  for (const words of coverage) lines.push('', paint('yellow', wrapped(words, paint)));
  if (next.length > 0) lines.push('', paint('dim', 'next'));
  for (const call of next) lines.push(`  ${plain(commandFor(call))}`);
  return `${lines.join('\n')}\n`;
}

function itemText(item: unknown): string {
  if (typeof item !== 'object' || item === null) return String(item);
  const { summary, event, severity, id } = item as Record<string, unknown>;
  return [severity, summary ?? event ?? JSON.stringify(item), id].filter((part) => part !== undefined).join('  ');
}

/** A tool's call as one would type it. */
function commandFor({ tool, arguments: given }: { tool: string; arguments: Record<string, unknown> }): string {
  const { id, component, components } = given as Record<string, string | undefined> & {
    components?: string[];
  };
  if (tool === 'explain' && id !== undefined) return `ai-debug explain ${id}`;
  if (tool === 'trace' && id !== undefined) return `ai-debug trace ${id}`;
  if (tool === 'health') return `ai-debug health ${component ?? ''}`.trim();
  if (tool === 'resolve') return `ai-debug resolve ${id} --notes '…'`;
  if (tool === 'compare' && Array.isArray(components)) return `ai-debug compare ${components.join(' ')}`;
  return `ai-debug ask ${tool} ${component ?? id ?? ''}`.trim();
}
