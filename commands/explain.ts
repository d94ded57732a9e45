import { type CommandContext, EXIT, painter, UsageError } from './command.ts';
import { ASKING_HELP, parseAsking, serverOf } from './server.ts';
import { componentName, headed, painted, time, wrapped } from './terminal.ts';

export const EXPLAIN_HELP = `ai-debug explain ID tells the root cause behind an event or an insight, the chain to it, and what to do.

${ASKING_HELP}
Exit code 0: explained. 1: there is no such event or insight. 2: usage. 3: no server answers.
`;

interface Link {
  event_id: string;
  component_type: string;
  component_id: string;
  level: string | null;
  message: string;
  timestamp: string;
}

interface Explanation {
  description: string;
  root_cause: Link | null;
  chain: Link[];
  affected_components: { type: string; id: string }[];
  suggestions: { action: string; why: string; source: string }[];
  confidence: number;
}

export async function explain(context: CommandContext, args: string[]): Promise<number> {
  const { values, positionals } = parseAsking(args, {});
  if (values.help) {
    context.stdout.write(EXPLAIN_HELP);
    return EXIT.ok;
  }
  const [id, ...more] = positionals;
  if (id === undefined || more.length > 0) throw new UsageError('takes the id of one event or insight');
  const { data } = await serverOf(context, values).get<Explanation>(`/errors/${encodeURIComponent(id)}/explain`);
  context.stdout.write(values.json ? `${JSON.stringify(data)}\n` : inWords(context, data));
  return EXIT.ok;
}

function inWords(context: CommandContext, data: Explanation): string {
  const paint = painter(context.stdout);
  const lines = [
    paint('bold', wrapped(data.description, paint)),
    paint('dim', `confidence ${Math.round(data.confidence * 100) / 100}`),
  ];
  if (data.chain.length > 0) lines.push('', paint('dim', 'from the root cause'));
  for (const [i, link] of data.chain.toReversed().entries()) {
    const level = link.level === null ? '' : `${painted(paint, link.level)} `;
    const name = paint('cyan', componentName(link.component_type, link.component_id));
    const indent = 2 + 2 * Math.min(i, 8);
    const head = `${paint('dim', time(link.timestamp))} ${level}${name}`;
    lines.push(headed(head, link.message, paint, indent));
  }
  const touched = data.affected_components.map(({ type, id }) => componentName(type, id));
  if (touched.length > 0) lines.push('', `${paint('dim', 'touched')}  ${touched.join(', ')}`);
  if (data.suggestions.length > 0) lines.push('', paint('dim', 'what to do'));
  for (const { action, why, source } of data.suggestions) {
    lines.push(`  ${wrapped(action, paint, 2)}`);
    lines.push(
      paint('dim', `    ${wrapped(`${source === 'past_resolution' ? 'it helped before: ' : ''}${why}`, paint, 4)}`),
    );
  }
  return `${lines.join('\n')}\n`;
}
