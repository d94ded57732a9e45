import { type CommandContext, EXIT, type Paint, painter, UsageError } from './command.ts';
import { ASKING_HELP, parseAsking, type Server, serverOf } from './server.ts';
import { bar, clipped, componentName, duration, painted, plain, table } from './terminal.ts';

export const HEALTH_HELP = `ai-debug health [COMPONENT] tells how it is going: everything, the worst first, or one component.

COMPONENT is a name or type/name, as orders or agent/planner.

  --range RANGE      15m, 1h (default), 24h, 7d
${ASKING_HELP}
Exit code 0: healthy. 1: it is not, or nothing is known. 2: usage. 3: no server answers.
`;

interface Counts {
  status: string;
  health_score: number | null;
  total_events: number;
  error_events: number;
}

interface Component extends Counts {
  component_type: string;
  component_id: string;
}

interface SystemHealth extends Counts {
  overall_health_score: number | null;
  active_operations: number;
  by_component: Component[];
}

interface Brief {
  id: string;
  severity: string;
  title: string;
}

export async function health(context: CommandContext, args: string[]): Promise<number> {
  const { values, positionals } = parseAsking(args, { range: { type: 'string', default: '1h' } });
  if (values.help) {
    context.stdout.write(HEALTH_HELP);
    return EXIT.ok;
  }
  if (positionals.length > 1) throw new UsageError('takes one component');
  const server = serverOf(context, values);
  const [name] = positionals;
  return name === undefined
    ? system(context, server, values.range, values.json)
    : component(context, server, name, values.range, values.json);
}

async function system({ stdout }: CommandContext, server: Server, range: string, json: boolean): Promise<number> {
  const { data } = await server.get<SystemHealth>('/analytics/system-health', { time_range: range });
  if (json) stdout.write(`${JSON.stringify(data)}\n`);
  else {
    const paint = painter(stdout);
    const { status, overall_health_score, total_events, error_events, active_operations } = data;
    const score = overall_health_score === null ? '' : ` ${overall_health_score}/100`;
    stdout.write(
      `${painted(paint, status, paint('bold', status))}${score} over ${range}: ${total_events} events, ${error_events} errors, ${active_operations} operations under way\n`,
    );
    if (total_events === 0) stdout.write('nothing arrived in that time; ai-debug doctor says why\n');
    if (data.by_component.length > 0) stdout.write(`\n${componentTable(data.by_component, paint)}`);
    const { data: open } = await server.get<Brief[]>('/insights', { resolved: 'false', limit: '5' });
    if (open.length > 0) stdout.write(`\n${briefs(open, paint)}`);
  }
  return data.status === 'healthy' ? EXIT.ok : EXIT.trouble;
}

async function component(
  { stdout }: CommandContext,
  server: Server,
  name: string,
  range: string,
  json: boolean,
): Promise<number> {
  const which = await componentOf(server, name);
  const body = { ...which, time_range: range };
  const { data } = await server.send<Component & { insights: Brief[] }>('POST', '/analytics/component-health', body);
  if (json) {
    stdout.write(`${JSON.stringify(data)}\n`);
    return data.status === 'healthy' ? EXIT.ok : EXIT.trouble;
  }
  const paint = painter(stdout);
  const { data: speed } = await server.send<{
    sample_count: number;
    p50_ms: number | null;
    p95_ms: number | null;
    p99_ms: number | null;
  }>('POST', '/analytics/performance', body);
  stdout.write(componentTable([data], paint));
  if (speed.p50_ms !== null && speed.p95_ms !== null && speed.p99_ms !== null)
    stdout.write(
      `\n${speed.sample_count} spans: p50 ${duration(speed.p50_ms)}, p95 ${duration(speed.p95_ms)}, p99 ${duration(speed.p99_ms)}\n`,
    );
  if (data.insights.length > 0) stdout.write(`\n${briefs(data.insights, paint)}`);
  return data.status === 'healthy' ? EXIT.ok : EXIT.trouble;
}

/** Its type is found among what was heard of, unless it is said. */
export async function componentOf(
  server: Server,
  name: string,
): Promise<{ component_type: string; component_id: string }> {
  const { data } = await server.get<SystemHealth>('/analytics/system-health', { time_range: '7d' });
  const known = data.by_component.find(
    ({ component_type, component_id }) => component_id === name || `${component_type}/${component_id}` === name,
  );
  if (known !== undefined) return { component_type: known.component_type, component_id: known.component_id };
  const slash = name.indexOf('/');
  if (slash > 0) return { component_type: name.slice(0, slash), component_id: name.slice(slash + 1) };
  const names = data.by_component.map((each) => componentName(each.component_type, each.component_id)).sort();
  throw new Error(
    `no component '${plain(name)}' in the last 7 days${names.length > 0 ? `; there are ${names.slice(0, 10).join(', ')}` : ''}`,
  );
}

function componentTable(components: readonly Component[], paint: Paint): string {
  const rows = components.map((each) => [
    clipped(componentName(each.component_type, each.component_id), 40),
    painted(paint, each.status),
    each.health_score === null ? '' : String(each.health_score),
    painted(paint, each.status, bar((each.health_score ?? 0) / 100, 10)),
    String(each.error_events),
    String(each.total_events),
  ]);
  const columns = [
    { title: 'component' },
    { title: 'status' },
    { title: 'score', right: true },
    { title: '' },
    { title: 'errors', right: true },
    { title: 'events', right: true },
  ];
  return table(columns, rows, paint);
}

export function briefs(insights: readonly Brief[], paint: Paint): string {
  const rows = insights.map(({ severity, title, id }) => [
    painted(paint, severity),
    clipped(title, 90),
    paint('dim', id),
  ]);
  return table(
    [{ title: 'severity' }, { title: 'insight', flexible: true }, { title: 'id', below: true }],
    rows,
    paint,
  );
}
