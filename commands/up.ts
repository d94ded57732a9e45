/** `ai-debug up`: everything in one process on the embedded tiers, or one role of it on PostgreSQL and Redis. */
import { parseArgs } from 'node:util';
import { DebugError } from '../base/errors.ts';
import { weighOutsideBytes } from '../base/garbage.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { type Addresses, createCollector } from '../collector.ts';
import { type Config, flagOptions, loadConfig, serverAccess, settingsHelp } from '../config.ts';
import { type CommandContext, EXIT, painter, UsageError } from './command.ts';
import { wrapped } from './terminal.ts';

const UP_HELP = `usage: ai-debug up [options]

Runs the receiver, the stores and the query service in this process until it is interrupted.
Exit code 0: stopped when asked to. 1: it could not start. 2: usage, a setting that makes no sense.

  --config FILE  settings from a JSON file
  --json         say where it listens as one JSON line
`;

export async function up(context: CommandContext, args: string[]): Promise<number> {
  const { flags, help, json, file, extra } = readFlags(args);
  if (help) {
    const paint = painter(context.stdout);
    const settings = settingsHelp((text, indent) => wrapped(text, paint, indent));
    context.stdout.write(`${UP_HELP}\n${settings}\n`);
    return EXIT.ok;
  }
  const config = configOf(flags, file);
  if (extra !== undefined) throw new UsageError(`takes no argument '${extra}'`);
  const log = createLogger(config.logLevel);
  weighOutsideBytes();
  const collector = createCollector(config, { clock: context.clock, log, meter: createMeter() });
  const startedMs = context.clock.monotonicMs();
  await collector.start();
  const addresses = collector.addresses();
  log.info({ ...addresses, readyMs: Math.round(context.clock.monotonicMs() - startedMs) }, 'up');
  context.stdout.write(json ? `${JSON.stringify(addresses)}\n` : banner(context, config, addresses));
  await new Promise<void>((resolve) => {
    if (context.signal.aborted) resolve();
    else context.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  log.info('stopping');
  await collector.stop();
  log.info('stopped');
  return EXIT.ok;
}

function readFlags(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    options: {
      ...flagOptions(),
      help: { type: 'boolean', short: 'h' },
      json: { type: 'boolean' },
      config: { type: 'string' },
    },
    strict: false, // config.ts knows every setting and says which name was meant
    allowPositionals: true,
    allowNegative: true,
  });
  const { help = false, json = false, config: file, ...flags } = values;
  return {
    flags: new Map(Object.entries(flags) as [string, string | boolean][]),
    help: help === true,
    json: json === true,
    file: typeof file === 'string' ? file : undefined,
    extra: positionals[0],
  };
}

function configOf(flags: ReadonlyMap<string, string | boolean>, file: string | undefined): Config {
  try {
    return loadConfig({ flags, file });
  } catch (error) {
    if (error instanceof DebugError && error.code === 'INVALID') throw new UsageError(error.message);
    throw error;
  }
}

function banner(context: CommandContext, config: Config, addresses: Addresses): string {
  const paint = painter(context.stdout);
  const warm = config.pgUrl === '' ? `embedded in ${config.dataDir}` : 'PostgreSQL';
  const hot = config.redisUrl === '' || !config.redisEnabled ? 'in process' : 'Redis';
  const lines: [string, string][] = [];
  if (addresses.otlp_http !== null)
    lines.push(['send telemetry', `OTEL_EXPORTER_OTLP_ENDPOINT=${addresses.otlp_http}`]);
  if (addresses.otlp_grpc !== null) lines.push(['  over gRPC', addresses.otlp_grpc]);
  if (addresses.otlp_http !== null)
    lines.push(['any Node service', 'node --import @ai-debug/instrumentation/register app.js']);
  if (addresses.http !== null && config.role === 'receiver') lines.push(['watch', `${addresses.http}/metrics`]);
  if (addresses.http !== null && config.role !== 'receiver') {
    lines.push(['look', `${addresses.http}/`]);
    // The other commands ask at the usual place unless they are told.
    const told = addresses.http === serverAccess({}).url ? '' : ` --url ${addresses.http}`;
    if (told !== '') lines.push(['other commands', `export DEBUG_URL=${addresses.http}`]);
    lines.push(['ask', `npx ai-debug ask "what is wrong?"${told}`]);
    lines.push(['nothing arrives?', `npx ai-debug doctor${told}`]);
    lines.push(['agents', `${addresses.http}/mcp`]);
  }
  const width = Math.max(...lines.map(([what]) => what.length));
  const rows = lines.map(([what, where]) => `  ${paint('dim', what.padEnd(width))}  ${where}`);
  return `${paint('bold', 'ai-debug is up')} (hot: ${hot}, warm: ${warm})\n\n${rows.join('\n')}\n\n`;
}
