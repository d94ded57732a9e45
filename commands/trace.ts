import { type CommandContext, EXIT, type Paint, painter, UsageError } from './command.ts';
import { ASKING_HELP, parseAsking, Refused, type Server, serverOf } from './server.ts';
import { clipped, componentName, duration, headed, painted, plain, stretch, time } from './terminal.ts';

export const TRACE_HELP = `ai-debug trace ID shows a trace as a tree of spans, or everything under a correlation id as a timeline.

${ASKING_HELP}
Exit code 0: no error in it. 1: there is, or there is no such id. 2: usage. 3: no server answers.
`;

interface Trace {
  trace_id: string;
  started_at: string;
  duration_ms: number;
  span_count: number;
  error_count: number;
  incomplete: boolean;
  spans: {
    depth: number;
    name: string;
    component_type: string;
    component_id: string;
    status: string;
    status_message: string | null;
    offset_ms: number;
    duration_ms: number;
    critical_path_ms: number;
  }[];
  errors: { component_type: string; component_id: string; message: string; timestamp: string }[];
}

interface Correlation {
  started_at: string;
  duration_ms: number;
  event_count: number;
  error_count: number;
  components: { type: string; id: string }[];
  events: {
    timestamp: string;
    level: string | null;
    event_type: string;
    component_type: string;
    component_id: string;
    message: string;
    duration_ms?: number;
  }[];
}

export async function trace(context: CommandContext, args: string[]): Promise<number> {
  const { values, positionals } = parseAsking(args, {});
  if (values.help) {
    context.stdout.write(TRACE_HELP);
    return EXIT.ok;
  }
  const [id, ...more] = positionals;
  if (id === undefined || more.length > 0) throw new UsageError('takes one trace or correlation id');
  const server = serverOf(context, values);
  const { stdout } = context;
  const paint = painter(stdout);
  const found = await traceOf(server, id);
  if (found !== null && found.span_count > 0) {
    stdout.write(values.json ? `${JSON.stringify(found)}\n` : waterfall(found, paint));
    return found.error_count > 0 ? EXIT.trouble : EXIT.ok;
  }
  const { data } = await server.get<Correlation>(`/correlations/${encodeURIComponent(id)}`, { limit: '1000' });
  stdout.write(values.json ? `${JSON.stringify(data)}\n` : timeline(data, paint));
  return data.error_count > 0 ? EXIT.trouble : EXIT.ok;
}

async function traceOf(server: Server, id: string): Promise<Trace | null> {
  if (!/^[0-9a-fA-F]{32}$/.test(id)) return null;
  try {
    return (await server.get<Trace>(`/traces/${id}`)).data;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

const BAR_WIDTH = 32;

function waterfall(data: Trace, paint: Paint): string {
  const lines = [
    `${paint('bold', duration(data.duration_ms))}  ${data.span_count} spans, ${data.error_count} errors${data.incomplete ? paint('yellow', ', incomplete') : ''}`,
    '',
  ];
  const whole = Math.max(data.duration_ms, 1e-6);
  for (const span of data.spans) {
    const failed = span.status === 'error';
    const bar = stretch(span.offset_ms / whole, (span.offset_ms + span.duration_ms) / whole, BAR_WIDTH).padEnd(
      BAR_WIDTH,
    );
    const name = `${'  '.repeat(Math.min(span.depth, 12))}${componentName(span.component_type, span.component_id)} ${plain(span.name)}`;
    const painted = failed ? paint('red', bar) : span.critical_path_ms > 0 ? paint('cyan', bar) : paint('dim', bar);
    const note = failed && span.status_message ? ` ${paint('red', clipped(span.status_message, 60))}` : '';
    lines.push(`${painted} ${duration(span.duration_ms).padStart(9)}  ${clipped(name, 70)}${note}`);
  }
  if (data.errors.length > 0) lines.push('');
  for (const error of data.errors)
    lines.push(
      headed(
        `${paint('dim', time(error.timestamp))} ${paint('red', componentName(error.component_type, error.component_id))}`,
        error.message,
        paint,
      ),
    );
  return `${lines.join('\n')}\n`;
}

function timeline(data: Correlation, paint: Paint): string {
  const names = data.components.map(({ type, id }) => componentName(type, id)).join(', ');
  const lines = [
    `${paint('bold', duration(data.duration_ms))}  ${data.event_count} events, ${data.error_count} errors: ${names}`,
    '',
  ];
  for (const event of data.events) {
    const word = event.level ?? event.event_type;
    const took = event.duration_ms === undefined ? '' : ` ${duration(event.duration_ms)}`;
    const name = paint('cyan', componentName(event.component_type, event.component_id));
    const head = `${paint('dim', time(event.timestamp))} ${painted(paint, word, word.padEnd(8))} ${name}`;
    lines.push(headed(head, event.message + took, paint));
  }
  return `${lines.join('\n')}\n`;
}
