import { type CommandContext, EXIT, type Paint, painter, UsageError } from './command.ts';
import { componentOf } from './health.ts';
import { ASKING_HELP, parseAsking, serverOf } from './server.ts';
import { clipped, duration, painted, table, wrapped } from './terminal.ts';

export const COMPARE_HELP = `ai-debug compare A B… holds components against each other and ranks what separates them.

  --operations       A and B are ids of operations
  --range RANGE      15m, 1h (default), 24h, 7d
${ASKING_HELP}
Exit code 0: nothing separates them beyond chance. 1: something does. 2: usage. 3: no server answers.
`;

interface Comparison {
  sides: {
    label: string;
    status: string;
    health_score: number | null;
    total_events: number;
    error_events: number;
    p50_ms: number | null;
    p95_ms: number | null;
  }[];
  remarks: string[];
  differences: { kind: string; name: string; value: string | null; per_side: (number | null)[]; score: number }[];
}

export async function compare(context: CommandContext, args: string[]): Promise<number> {
  const { values, positionals } = parseAsking(args, {
    operations: { type: 'boolean', default: false },
    range: { type: 'string' },
  });
  if (values.help) {
    context.stdout.write(COMPARE_HELP);
    return EXIT.ok;
  }
  if (positionals.length < 2) throw new UsageError('takes at least two to compare');
  const server = serverOf(context, values);
  const sides = values.operations
    ? { operations: positionals }
    : {
        components: await Promise.all(
          positionals.map(async (name) => {
            const { component_type: type, component_id: id } = await componentOf(server, name);
            return { type, id };
          }),
        ),
      };
  const { data } = await server.send<Comparison>('POST', '/analytics/compare', {
    ...sides,
    ...(values.range !== undefined && { time_range: values.range }),
  });
  context.stdout.write(values.json ? `${JSON.stringify(data)}\n` : inTables(data, painter(context.stdout)));
  return data.remarks.length + data.differences.length > 0 ? EXIT.trouble : EXIT.ok;
}

function inTables({ sides, remarks, differences }: Comparison, paint: Paint): string {
  const figure = (ms: number | null) => (ms === null ? '' : duration(ms));
  const rows = sides.map((side) => [
    clipped(side.label, 40),
    painted(paint, side.status),
    String(side.health_score ?? ''),
    String(side.error_events),
    String(side.total_events),
    figure(side.p50_ms),
    figure(side.p95_ms),
  ]);
  const right = true;
  const head = [
    { title: 'side' },
    { title: 'status' },
    ...['score', 'errors', 'events', 'p50', 'p95'].map((title) => ({ title, right })),
  ];
  const parts = [table(head, rows, paint)];
  if (remarks.length > 0) parts.push(remarks.map((remark) => `${wrapped(remark, paint)}\n`).join(''));
  if (differences.length === 0) parts.push(paint('dim', 'nothing in their telemetry separates them beyond chance\n'));
  else {
    const shown = (kind: string, value: number | null) =>
      value === null ? '-' : kind === 'span_latency' ? duration(value) : `${Math.round(value * 1000) / 10}%`;
    const cells = differences.map(({ kind, name, value, per_side }) => [
      paint('dim', kind.replaceAll('_', ' ')),
      clipped(value === null ? name : kind === 'template' || kind === 'error' ? value : `${name}=${value}`, 70),
      ...per_side.map((each) => shown(kind, each)),
    ]);
    const columns = [
      { title: '' },
      { title: 'difference', flexible: true },
      ...sides.map(({ label }) => ({ title: clipped(label, 24), right })),
    ];
    parts.push(table(columns, cells, paint));
  }
  return parts.join('\n');
}
