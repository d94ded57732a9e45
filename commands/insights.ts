import { type CommandContext, EXIT, type Paint, painter, UsageError } from './command.ts';
import { briefs } from './health.ts';
import { ASKING_HELP, parseAsking, type Query, serverOf } from './server.ts';
import { clipped, painted, plain, table, wrapped } from './terminal.ts';

export const INSIGHTS_HELP = `ai-debug insights lists what was found, last seen first; ai-debug insights ID shows one.

  --all              resolved and ignored ones too
  --severity S       info, warning or critical
  --type T           consistency, flow, performance, error, anomaly or prediction
  --component ID     only of this component
  --range RANGE      last seen within 15m, 1h, 24h, 7d
  --since CURSOR     what was opened, changed or resolved since; a first time with --since now
${ASKING_HELP}
Exit code 0: nothing to worry about. 1: a warning or worse is open. 2: usage. 3: no server answers.
`;

interface Insight {
  id: string;
  insight_type: string;
  severity: string;
  title: string;
  description: string;
  state: string;
  confidence_score: number;
  occurrences: number;
  first_seen: string;
  last_seen: string;
  affected_components: { type: string; id: string }[];
  suggestions: { action: string; why: string }[];
  resolution_notes: string | null;
}

interface Changes {
  opened: Insight[];
  changed: Insight[];
  resolved: Insight[];
  cursor: string;
}

export async function insights(context: CommandContext, args: string[]): Promise<number> {
  const { values, positionals } = parseAsking(args, {
    all: { type: 'boolean', default: false },
    severity: { type: 'string' },
    type: { type: 'string' },
    component: { type: 'string' },
    range: { type: 'string' },
    since: { type: 'string' },
  });
  const { stdout } = context;
  if (values.help) {
    stdout.write(INSIGHTS_HELP);
    return EXIT.ok;
  }
  if (positionals.length > 1) throw new UsageError('takes one id');
  const server = serverOf(context, values);
  const paint = painter(stdout);
  const say = (data: unknown, text: string) => stdout.write(values.json ? `${JSON.stringify(data)}\n` : text);

  if (positionals[0] !== undefined) {
    const { data } = await server.get<Insight>(`/insights/${encodeURIComponent(positionals[0])}`);
    say(data, whole(data, paint));
    return isTrouble(data) ? EXIT.trouble : EXIT.ok;
  }
  if (values.since !== undefined) {
    const since = values.since === 'now' ? undefined : values.since;
    const { data } = await server.get<Changes>('/changes', { since });
    say(data, changesText(data, paint));
    return [...data.opened, ...data.changed].some(isTrouble) ? EXIT.trouble : EXIT.ok;
  }
  const query: Query = {
    ...(!values.all && { resolved: 'false' }),
    severity: values.severity,
    insight_type: values.type,
    component_id: values.component,
    time_range: values.range,
  };
  const { data, meta } = await server.get<Insight[]>('/insights', query);
  const shown = values.all ? data : data.filter(({ state }) => state !== 'ignored');
  const more = meta.truncated ? paint('dim', 'and more: narrow it with --severity, --type or --range\n') : '';
  say(shown, shown.length === 0 ? paint('dim', 'nothing was found\n') : listOf(shown, paint) + more);
  return shown.some(isTrouble) ? EXIT.trouble : EXIT.ok;
}

function isTrouble({ severity, state }: Insight): boolean {
  return severity !== 'info' && (state === 'open' || state === 'regressed');
}

function listOf(insights: readonly Insight[], paint: Paint): string {
  const rows = insights.map((each) => [
    painted(paint, each.severity),
    each.state === 'open' ? '' : each.state,
    clipped(each.title, 80),
    `${each.occurrences}x`,
    second(each.last_seen),
    paint('dim', each.id),
  ]);
  const columns = [
    { title: 'severity' },
    { title: '' },
    { title: 'insight', flexible: true },
    { title: 'seen', right: true },
    { title: 'last', below: true },
    { title: 'id', below: true },
  ];
  return table(columns, rows, paint);
}

function whole(each: Insight, paint: Paint): string {
  const lines = [
    `${painted(paint, each.severity)} ${paint('bold', wrapped(each.title, paint, each.severity.length + 1))}`,
    paint(
      'dim',
      `${each.insight_type}, ${each.state}, confidence ${each.confidence_score}, ${each.occurrences}x, ${second(each.first_seen)} to ${second(each.last_seen)}`,
    ),
    '',
    wrapped(each.description, paint),
    '',
    `${paint('dim', 'touches')}  ${each.affected_components.map(({ type, id }) => plain(`${type}/${id}`)).join(', ')}`,
  ];
  if (each.resolution_notes !== null) lines.push(`${paint('dim', 'notes')}  ${plain(each.resolution_notes)}`);
  for (const { action, why } of each.suggestions)
    lines.push('', `  ${wrapped(action, paint, 2)}`, paint('dim', `    ${wrapped(why, paint, 4)}`));
  return `${lines.join('\n')}\n`;
}

function changesText({ opened, changed, resolved, cursor }: Changes, paint: Paint): string {
  const parts = Object.entries({ opened, changed, resolved })
    .filter(([, list]) => list.length > 0)
    .map(([name, list]) => `${paint('bold', name)}\n${briefs(list, paint)}\n`);
  const news = parts.length === 0 ? paint('dim', 'nothing moved\n') : parts.join('');
  return `${news}${paint('dim', `go on with --since ${cursor}`)}\n`;
}

function second(rfc3339: string): string {
  return rfc3339.slice(0, 19).replace('T', ' ');
}
