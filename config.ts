/**
 * Every setting, in one table: from it come the parser, `--help` and the README's table. Flags win over environment variables, those
 * over the config file, that over defaults. This is the only file that reads the environment.
 *
 * The name decides the rest: `otlpGrpcPort` is `--otlp-grpc-port`, `DEBUG_OTLP_GRPC_PORT`, and `otlp-grpc-port` in the file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DebugError } from './base/errors.ts';
import { DEFAULT_KEYS } from './otlp/keys.ts';

export const SETTINGS = {
  role: choice(['all', 'receiver', 'query'], 'all', 'Which halves run in this process.'),
  host: text('127.0.0.1', 'Address that all ports listen on. Beyond loopback it needs tokens or `--insecure`.'),
  otlpGrpcPort: port(4317, 'OTLP over gRPC.'),
  otlpHttpPort: port(4318, 'OTLP over HTTP.'),
  httpPort: port(4319, 'REST, WebSocket, dashboard, health and metrics.'),
  grpcPort: port(4320, 'Questions over gRPC. No effect yet: nothing listens there.'),
  insecure: flag(false, 'Listen beyond loopback without tokens.'),
  apiTokens: list([], 'Bearer tokens, one of which every request must carry. Empty: none is asked for.', {
    secret: true,
  }),
  apiTokensFile: text('', 'File with the tokens, one a line.'),
  dataDir: text('.ai-debug', 'Folder of the journal, the embedded store and the archive.'),
  pgUrl: text('', 'PostgreSQL for the warm tier. Empty: embedded SQLite in the data folder.', { secret: true }),
  pgPartitionByDay: flag(true, 'Day partitions in PostgreSQL, dropped whole.'),
  pgAutoArchive: flag(true, 'Copy a day to the archive before it leaves the warm tier.'),
  redisUrl: text('', 'Redis for the hot tier and the live feed. Empty: in process.', { secret: true }),
  redisEnabled: flag(true, 'Use Redis where its URL is given.'),
  redisKeyPrefix: text('debug', 'First part of every key and channel in Redis.'),
  redisHotTtlHours: number(1, 1, 168, 'hours', 'Age at which blocks leave the hot tier.'),
  hotBytesMax: number(256 * 2 ** 20, 2 ** 20, 2 ** 50, 'bytes', 'Size at which the oldest blocks leave the hot tier.'),
  archiveUrl: text('', 'Where the cold tier lies: `file:` and a folder. Empty: `archive` in the data folder.'),
  archiveRetentionDays: number(
    90,
    1,
    36500,
    'days',
    'Age at which files leave the archive. No effect yet: nothing leaves it.',
  ),
  maxDiskBytes: number(
    0,
    0,
    2 ** 60,
    'bytes',
    'Most that the data folder may hold, 0 for no bound. No effect yet: the journal alone is bounded.',
  ),
  eventRetentionHours: number(168, 1, 876000, 'hours', 'Age at which events leave the warm tier.'),
  insightRetentionHours: number(720, 1, 876000, 'hours', 'Age at which insights expire.'),
  batchSizeMs: number(100, 0, 10000, 'ms', 'The longest that a batch waits for others; an idle writer does not wait.'),
  journalBytesMax: number(
    4 * 2 ** 30,
    2 ** 20,
    2 ** 50,
    'bytes',
    'Size at which the journal refuses more, with 503 and a retry hint.',
  ),
  requestBytesMax: number(64 * 2 ** 20, 1024, 2 ** 30, 'bytes', 'Largest OTLP request, after decompression.'),
  inFlightBytesMax: number(
    256 * 2 ** 20,
    2 ** 20,
    2 ** 40,
    'bytes',
    'Requests being received at once, before they are refused.',
  ),
  correlationKeys: list(DEFAULT_KEYS.correlationKeys, 'Attribute keys that carry the correlation id, first wins.'),
  operationKeys: list(DEFAULT_KEYS.operationKeys, 'Attribute keys that carry the operation id, first wins.'),
  systemEnabled: flag(true, 'false: telemetry is accepted and discarded, questions answer 503 `DEBUG_DISABLED`.'),
  streamingEnabled: flag(true, 'WebSocket and `follow=true`.'),
  insightAutoGenerate: flag(true, 'Run the analyzers without being asked.'),
  insightConfidenceThreshold: number(0.7, 0, 1, '0 to 1', 'Insights below it are not stored.'),
  anomalyDetectionEnabled: flag(true, 'Run the anomaly analyzers. No effect yet: there are none.'),
  aiQueryEnabled: flag(true, 'Questions in words. No effect yet: they come with a later version.'),
  cacheTtlSeconds: number(
    300,
    0,
    86400,
    'seconds',
    'Age at which cached answers are computed again. No effect yet: none are cached.',
  ),
  cacheMaxSize: number(1000, 1, 1e6, 'entries', 'Answers kept in the cache. No effect yet.'),
  logLevel: choice(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'info',
    'What the process logs about itself, on stderr.',
  ),
} as const satisfies Record<string, Setting<unknown>>;

export type Config = { -readonly [Name in keyof typeof SETTINGS]: (typeof SETTINGS)[Name]['default'] };

/** Where values come from: `flags` by kebab-case name, `environment` as `process.env`, `file` the path of a JSON file. */
export interface ConfigSources {
  flags?: ReadonlyMap<string, string | boolean>;
  environment?: NodeJS.ProcessEnv;
  file?: string | undefined;
}

/**
 * Reads and checks every setting.
 * @throws DebugError INVALID that names each setting that is unknown (with the nearest known one) or has a value that it cannot have
 */
export function loadConfig({ flags = new Map(), environment = process.env, file }: ConfigSources = {}): Config {
  const config: Record<string, unknown> = {};
  const wrong: { field: string; message: string }[] = [];
  const fromFile = file === undefined ? {} : readConfigFile(file);
  for (const flag of flags.keys())
    if (!NAMES.flag.has(flag))
      wrong.push(
        unknown(
          `--${flag}`,
          [...NAMES.flag.keys()].map((name) => `--${name}`),
        ),
      );
  for (const key of Object.keys(fromFile))
    if (!NAMES.flag.has(key)) wrong.push(unknown(`${key} in ${file}`, [...NAMES.flag.keys()]));
  for (const key of Object.keys(environment)) {
    if (key.startsWith('DEBUG_') && !NAMES.variable.has(key) && !FOREIGN.test(key))
      wrong.push(unknown(key, [...NAMES.variable.keys()]));
  }
  for (const [name, setting] of Object.entries(SETTINGS) as [string, Setting<unknown>][]) {
    const sources: [string, unknown][] = [
      [`--${flagOf(name)}`, flags.get(flagOf(name))],
      // An empty variable is an unset one: compose files pass them on like that.
      [variableOf(name), environment[variableOf(name)] || undefined],
      [`${flagOf(name)} in ${file}`, fromFile[flagOf(name)]],
    ];
    const [source, value] = sources.find(([, value]) => value !== undefined) ?? ['', undefined];
    try {
      config[name] = value === undefined ? setting.default : setting.parse(value);
    } catch (error) {
      wrong.push({
        field: source,
        message: `${(error as Error).message}, not ${setting.secret ? 'what is set' : JSON.stringify(value)}`,
      });
    }
  }
  if (wrong.length === 0) wrong.push(...readTokens(config as Config), ...relations(config as Config));
  if (wrong.length > 0) {
    throw new DebugError('INVALID', wrong.map(({ field, message }) => `${field}: ${message}`).join('\n'), {
      fields: wrong,
    });
  }
  return config as Config;
}

/** What `--help` prints, a line a setting. */
export function settingsHelp(): string {
  const rows = rowsOf();
  const width = Math.max(...rows.map(({ flag }) => flag.length));
  return rows
    .map(({ flag, variable, shown, doc }) => `  --${flag.padEnd(width)}  ${doc} [${shown}] (${variable})`)
    .join('\n');
}

/** The README's table of settings, in Markdown. */
export function settingsTable(): string {
  const rows = rowsOf().map(
    ({ flag, variable, shown, doc }) => `| \`${variable}\` | \`--${flag}\` | ${shown} | ${doc} |`,
  );
  return ['| variable | flag | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

/** Every flag, and whether it takes a value: the shape that `parseArgs` of node:util wants. */
export function flagOptions(): Record<string, { type: 'boolean' | 'string' }> {
  const typeOf = (name: Name) => (typeof SETTINGS[name].default === 'boolean' ? 'boolean' : 'string');
  return Object.fromEntries([...NAMES.flag].map(([flag, name]) => [flag, { type: typeOf(name) }]));
}

export const archivePath = (config: Config): string => config.archiveUrl || `file:${join(config.dataDir, 'archive')}`;

interface Setting<T> {
  default: T;
  unit: string;
  doc: string;
  secret: boolean;
  /** @throws Error whose message says what the value must be */
  parse: (value: unknown) => T;
}

function text(fallback: string, doc: string, { secret = false } = {}): Setting<string> {
  const parse = (value: unknown) => {
    if (typeof value === 'string') return value;
    throw new Error('must be text');
  };
  return { default: fallback, unit: '', doc, secret, parse };
}

function number(fallback: number, min: number, max: number, unit: string, doc: string): Setting<number> {
  const parse = (value: unknown) => {
    const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof parsed === 'number' && parsed >= min && parsed <= max) return parsed;
    throw new Error(`must be a number from ${min} to ${max}`);
  };
  return { default: fallback, unit, doc, secret: false, parse };
}

/** 0 takes any port that is free. */
function port(fallback: number, doc: string): Setting<number> {
  const { parse } = number(fallback, 0, 65535, '', doc);
  const whole = (value: unknown) => {
    const parsed = parse(value);
    if (Number.isInteger(parsed)) return parsed;
    throw new Error('must be a whole number from 0 to 65535');
  };
  return { default: fallback, unit: '', doc, secret: false, parse: whole };
}

function flag(fallback: boolean, doc: string): Setting<boolean> {
  const parse = (value: unknown) => {
    if (value === true || value === 'true' || value === '1') return true;
    if (value === false || value === 'false' || value === '0') return false;
    throw new Error('must be true or false');
  };
  return { default: fallback, unit: '', doc, secret: false, parse };
}

function choice<const T extends string>(choices: readonly T[], fallback: NoInfer<T>, doc: string): Setting<T> {
  const parse = (value: unknown) => {
    if (choices.includes(value as T)) return value as T;
    throw new Error(`must be one of ${choices.join(', ')}`);
  };
  return {
    default: fallback,
    unit: '',
    doc: `${doc} One of ${choices.map((name) => `\`${name}\``).join(', ')}.`,
    secret: false,
    parse,
  };
}

function list(fallback: readonly string[], doc: string, { secret = false } = {}): Setting<readonly string[]> {
  const parse = (value: unknown) => {
    const items = Array.isArray(value) ? value : String(value).split(',');
    const names = items.map((item) => String(item).trim()).filter((item) => item !== '');
    if (names.length > 0) return names;
    throw new Error('must be names with commas between');
  };
  return { default: fallback, unit: fallback.length > 0 ? 'comma-separated' : '', doc, secret, parse };
}

type Name = keyof typeof SETTINGS;

const NAMES = {
  flag: new Map((Object.keys(SETTINGS) as Name[]).map((name) => [flagOf(name), name])),
  variable: new Map((Object.keys(SETTINGS) as Name[]).map((name) => [variableOf(name), name])),
};

// Our tests' own variables, and those of the npm package `debug`, which share the prefix.
const FOREIGN = /^DEBUG_(TEST_.*|COLORS|DEPTH|FD|HIDE_DATE|SHOW_HIDDEN)$/;

function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function variableOf(name: string): string {
  return `DEBUG_${flagOf(name).replaceAll('-', '_').toUpperCase()}`;
}

function rowsOf() {
  return (Object.entries(SETTINGS) as [string, Setting<unknown>][]).map(([name, setting]) => ({
    flag: flagOf(name),
    variable: variableOf(name),
    shown: `${Array.isArray(setting.default) ? setting.default.join(',') || 'empty' : setting.default === '' ? 'empty' : setting.default}${setting.unit === '' ? '' : ` ${setting.unit}`}`,
    doc: setting.doc,
  }));
}

function readConfigFile(path: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
    throw new Error('it holds no JSON object');
  } catch (error) {
    throw new DebugError('INVALID', `--config ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** Tokens may stand in a file, so that no process list or compose file shows them. */
function readTokens(config: Config): { field: string; message: string }[] {
  if (config.apiTokensFile === '') return [];
  try {
    const tokens = readFileSync(config.apiTokensFile, 'utf8')
      .split('\n')
      .map((line) => line.trim());
    config.apiTokens = [...config.apiTokens, ...tokens.filter((line) => line !== '')];
    return config.apiTokens.length > 0 ? [] : [{ field: variableOf('apiTokensFile'), message: 'holds no token' }];
  } catch (error) {
    return [{ field: variableOf('apiTokensFile'), message: (error as Error).message }];
  }
}

/** What settings must be to each other. */
function relations(config: Config): { field: string; message: string }[] {
  const wrong: { field: string; message: string }[] = [];
  if (!LOOPBACK.test(config.host) && config.apiTokens.length === 0 && !config.insecure) {
    wrong.push({
      field: variableOf('host'),
      message: `${config.host} is reachable from other machines: set DEBUG_API_TOKENS, or say --insecure if it is meant for everybody`,
    });
  }
  if (config.role !== 'all' && config.pgUrl === '') {
    wrong.push({
      field: variableOf('pgUrl'),
      message: `--role ${config.role} needs a PostgreSQL that the other role shares`,
    });
  }
  if (config.role !== 'all' && (config.redisUrl === '' || !config.redisEnabled)) {
    wrong.push({
      field: variableOf('redisUrl'),
      message: `--role ${config.role} needs a Redis that carries the live feed between the roles`,
    });
  }
  for (const name of ['inFlightBytesMax', 'journalBytesMax'] as const) {
    // Else a request that is allowed could never be taken.
    if (config[name] <= config.requestBytesMax) {
      wrong.push({
        field: variableOf(name),
        message: `must be over ${variableOf('requestBytesMax')}, which is ${config.requestBytesMax}`,
      });
    }
  }
  const ports = (['otlpGrpcPort', 'otlpHttpPort', 'httpPort'] as const).filter((name) => config[name] !== 0);
  for (const [i, name] of ports.entries()) {
    const other = ports.slice(0, i).find((earlier) => config[earlier] === config[name]);
    if (other !== undefined)
      wrong.push({ field: variableOf(name), message: `port ${config[name]} is ${variableOf(other)}'s already` });
  }
  return wrong;
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|::1|\[::1\])$/;

function unknown(name: string, known: readonly string[]): { field: string; message: string } {
  const nearest = known
    .map((candidate) => [distance(name, candidate), candidate] as const)
    .sort(([a], [b]) => a - b)[0];
  const hint =
    nearest !== undefined && nearest[0] <= Math.max(3, name.length / 3) ? `; did you mean ${nearest[1]}?` : '';
  return { field: name, message: `unknown setting${hint}` };
}

/** Levenshtein's edit distance (1965), two rows at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
