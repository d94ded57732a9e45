/**
 * `ai-debug archive`: what a running `ai-debug up` does by itself once an hour, now and by hand. It opens the stores itself, with the same
 * settings, whether or not somebody else has them open: SQLite and PostgreSQL take turns, and a lease keeps two from archiving at once.
 */
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { DebugError } from '../base/errors.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { createStorekeeper, type Storekeeper } from '../collector.ts';
import { type Config, flagOptions, loadConfig } from '../config.ts';
import { type CommandContext, EXIT, numberOption, UnreachableError, UsageError } from './command.ts';

export const ARCHIVE_HELP = `ai-debug archive run|status|restore [options], beside a running system or without one.

  run               move the days that are due to the archive now, and let go what is older than the archive keeps
  status            the days in the warm tier and in the archive
  restore DAY       bring a day (YYYY-MM-DD) back into the warm tier

  --keep-hours N    how long a restored day stays (default 24)
  --config FILE     settings from a JSON file
  --json            the answer as one JSON document

All settings of 'ai-debug up' count: --data-dir, --pg-url, --archive-url and so on.
Exit code 0: done. 1: nothing was done, or not all. 2: usage. 3: a store cannot be reached.
`;

export async function archive(context: CommandContext, args: string[]): Promise<number> {
  const { config, action, day, keptMs, json, help } = readArguments(args);
  if (help) {
    context.stdout.write(ARCHIVE_HELP);
    return EXIT.ok;
  }
  const { clock } = context;
  const keeper = createStorekeeper(config, { clock, log: createLogger('silent'), meter: createMeter() });
  await started(keeper);
  const bar = new Bar(context, json);
  try {
    const answer = await ACTIONS[action](keeper, { day, keptMs, progress: (done) => bar.show(done) });
    bar.stop();
    context.stdout.write(json ? `${JSON.stringify(answer.data)}\n` : answer.text);
    return EXIT.ok;
  } catch (error) {
    bar.stop();
    if (!(error instanceof DebugError)) throw error;
    context.stderr.write(`ai-debug archive ${action}: ${error.message}\n`);
    return EXIT.trouble;
  } finally {
    await keeper.stop();
  }
}

interface Asked {
  day: string;
  keptMs: number;
  progress(done: { day: string; blocks: number }): void;
}
type Action = (keeper: Storekeeper, asked: Asked) => Promise<{ data: unknown; text: string }>;

const ACTIONS: Record<'run' | 'status' | 'restore', Action> = {
  async run({ retention }, { progress }) {
    const days = await retention.run(progress);
    const text = days.length === 0 ? 'nothing was due\n' : `left the warm tier: ${days.join(' ')}\n`;
    return { data: { days }, text };
  },

  async status({ retention }) {
    const data = await retention.status();
    const warm = data.warm.map(
      ({ day, due, restored }) => `  ${day}${due ? '  due' : ''}${restored ? '  restored' : ''}`,
    );
    const archived = data.archived.map(
      ({ tenant, day, files, records, bytes }) =>
        `  ${day}  ${tenant}  ${records} records in ${files} files, ${(bytes / 2 ** 20).toFixed(1)} MB`,
    );
    return { data, text: `warm\n${lines(warm)}archive\n${lines(archived)}` };
  },

  async restore({ retention }, { day, keptMs, progress }) {
    const { blocks } = await retention.restore(day, keptMs, progress);
    return { data: { day, blocks }, text: `${day} is back: ${blocks} blocks\n` };
  },
};

function lines(rows: readonly string[]): string {
  return rows.length === 0 ? '  nothing\n' : `${rows.join('\n')}\n`;
}

async function started(keeper: Storekeeper): Promise<void> {
  try {
    await keeper.start();
  } catch (error) {
    throw error instanceof DebugError ? new UnreachableError(error.message) : error;
  }
}

const HOUR_MS = 3_600_000;

function readArguments(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    options: {
      ...flagOptions(),
      help: { type: 'boolean', short: 'h' },
      json: { type: 'boolean' },
      config: { type: 'string' },
      'keep-hours': { type: 'string' },
    },
    strict: false, // config.ts knows every setting and says which name was meant
    allowPositionals: true,
    allowNegative: true,
  });
  const { help = false, json = false, config: file, 'keep-hours': hours, ...flags } = values;
  const [action = '', day = '', extra] = positionals;
  const keptMs = (numberOption('keep-hours', typeof hours === 'string' ? hours : undefined, 0) ?? 24) * HOUR_MS;
  if (help === true) return { help: true, json: true, action: 'status' as const, day, keptMs, config: loadConfig() };
  if (!Object.hasOwn(ACTIONS, action)) throw new UsageError(`takes run, status or restore, not '${action}'`);
  if (action === 'restore' && !/^\d{4}-\d\d-\d\d$/.test(day)) throw new UsageError(`restore takes a day, not '${day}'`);
  const surplus = action === 'restore' ? extra : (positionals[1] as string | undefined);
  if (surplus !== undefined) throw new UsageError(`takes no argument '${surplus}'`);
  const config = configOf(
    new Map(Object.entries(flags) as [string, string | boolean][]),
    typeof file === 'string' ? file : undefined,
  );
  return { help: false, json: json === true, action: action as keyof typeof ACTIONS, day, keptMs, config };
}

function configOf(flags: ReadonlyMap<string, string | boolean>, file: string | undefined): Config {
  try {
    return loadConfig({ flags, file });
  } catch (error) {
    if (error instanceof DebugError && error.code === 'INVALID') throw new UsageError(error.message);
    throw error;
  }
}

/** How far it is, for people at a terminal. How much there is to do is only known in the end. */
class Bar {
  readonly #bar: SingleBar | null;
  #started = false;

  constructor({ stderr }: CommandContext, json: boolean) {
    const stream = stderr as unknown as NodeJS.WritableStream;
    this.#bar =
      stderr.isTTY !== true || json
        ? null
        : new SingleBar({ stream, format: '{day}  {value} blocks  {duration_formatted}', clearOnComplete: true });
  }

  show({ day, blocks }: { day: string; blocks: number }): void {
    if (!this.#started) this.#bar?.start(0, 0, { day });
    this.#started = true;
    this.#bar?.update(blocks, { day });
  }

  stop(): void {
    this.#bar?.stop();
  }
}
