/**
 * Every setting, in one table: from it come the parser, `--help` and the README's table. Flags win over environment variables, those
 * over the config file, that over defaults. This is the only file that reads the environment.
 *
 * The name decides the rest: `otlpGrpcPort` is `--otlp-grpc-port`, `DEBUG_OTLP_GRPC_PORT`, and `otlp-grpc-port` in the file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ORIGIN } from './base/cors.ts';
import { DebugError } from './base/errors.ts';
import { compileLinear } from './base/linear-pattern.ts';
import { createTokens } from './base/tokens.ts';
import { DEFAULT_KEYS } from './otlp/keys.ts';

export const SETTINGS = {
  role: choice(['all', 'receiver', 'query'], 'all', 'Which halves run in this process.'),
  host: text('127.0.0.1', 'Address that all ports listen on. Beyond loopback it needs tokens or `--insecure`.'),
  otlpGrpcPort: port(4317, 'OTLP over gRPC.'),
  otlpHttpPort: port(4318, 'OTLP over HTTP.'),
  httpPort: port(4319, 'REST, WebSocket, dashboard, health and metrics.'),
  grpcPort: port(4320, 'Questions over gRPC: `debug.v1.DebugQuery`.'),
  insecure: flag(false, 'Listen beyond loopback without tokens.'),
  apiTokens: list(
    [],
    'Bearer tokens, one of which every request must carry: `TOKEN` for everything, or `scope[+scope][@tenant]:TOKEN`, scopes of `ingest`, `read`, `admin`. Empty: none is asked for.',
    { secret: true },
  ),
  apiTokensFile: text('', 'File with more tokens, one a line, read again when it changes.'),
  tlsCert: text(
    '',
    'PEM file with the certificate chain; all ports then speak TLS 1.2 and up. Read again when it changes. Empty: plain text.',
  ),
  tlsKey: text('', 'PEM file with its key.'),
  tlsClientCa: text('', 'PEM file with who signs the certificates that clients must then show.'),
  corsOrigins: origins(
    'Web pages that may send OTLP over HTTP and ask over HTTP, as `https://*.example.com`. Empty: none.',
  ),
  requestsPerSecond: number(0, 0, 1e6, '1/s', 'Questions that a token may ask, 0 for no limit; over it 429.'),
  tenantRequestsMax: number(0, 0, 1e6, '', 'Exports of one tenant being received at once, 0 for no limit of its own.'),
  tenantBytesMax: number(0, 0, 2 ** 40, 'bytes', 'The same in bytes.'),
  tenantRecordsPerSecond: number(0, 0, 1e9, '1/s', 'Records that a tenant may bring, 0 for no limit; over it 429.'),
  tenantBytesPerSecond: number(0, 0, 2 ** 40, 'bytes/s', 'The same in bytes.'),
  dataDir: text('.ai-debug', 'Folder of the journal, the embedded store and the archive.'),
  pgUrl: text('', 'PostgreSQL for the warm tier. Empty: embedded SQLite in the data folder.', { secret: true }),
  pgPartitionByDay: flag(true, 'Day partitions in PostgreSQL, dropped whole.'),
  pgRowSecurity: choice(
    ['auto', 'on', 'off'],
    'auto',
    'Read PostgreSQL as a role that sees one tenant: where the role can be had, or there is no start, or never.',
  ),
  pgAutoArchive: flag(true, 'Copy a day to the archive before it leaves the warm tier.'),
  redisUrl: text(
    '',
    'Redis for the hot tier and the live feed; of a Cluster one node, with `?cluster=true`. Empty: in process.',
    { secret: true },
  ),
  redisEnabled: flag(true, 'Use Redis where its URL is given.'),
  redisKeyPrefix: text('debug', 'First part of every key and channel in Redis.'),
  redisHotTtlHours: number(1, 1, 168, 'hours', 'Age at which blocks leave the hot tier.'),
  hotBytesMax: number(256 * 2 ** 20, 2 ** 20, 2 ** 50, 'bytes', 'Size at which the oldest blocks leave the hot tier.'),
  archiveUrl: text(
    '',
    'Where the cold tier lies: `file:` and a folder, or `s3://bucket/prefix`. Empty: `archive` in the data folder.',
  ),
  archiveS3Endpoint: text(
    '',
    "URL of an S3 server that is not Amazon's. Credentials come from where AWS clients look.",
  ),
  archiveS3Region: text('', 'Region of the bucket. Empty: what the AWS environment says.'),
  archiveRetentionDays: number(
    90,
    1,
    36500,
    'days',
    'Age at which days leave the archive, but for the evidence of open insights.',
  ),
  maxDiskBytes: number(
    0,
    0,
    2 ** 60,
    'bytes',
    'Size of the data folder at which the oldest days leave before their time, 0 for no bound. The last two days stay.',
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
  redactEnabled: flag(true, 'Make secrets unreadable before anything is written.'),
  redactKeys: list([], 'Further last words of attribute keys whose values are secrets.'),
  redactAllowKeys: list([], 'Attribute keys that are no secrets, whole and as they are written.'),
  redactPatterns: patterns(
    'Further secrets in texts: patterns in the syntax of RE2, one a line. They cost more than all else together.',
  ),
  redactEmails: flag(false, 'Take e-mail addresses for secrets.'),
  redactHashKey: text(
    '',
    'Set: a secret of 16 bytes and more becomes a hash under this key and its tenant, so that equal ones can be told.',
    { secret: true },
  ),
  systemEnabled: flag(true, 'false: telemetry is accepted and discarded, questions answer 503 `DEBUG_DISABLED`.'),
  streamingEnabled: flag(true, 'WebSocket and `follow=true`.'),
  insightAutoGenerate: flag(true, 'Run the analyzers without being asked.'),
  insightConfidenceThreshold: number(0.7, 0, 1, '0 to 1', 'Insights below it are not stored.'),
  anomalyDetectionEnabled: flag(true, 'Run the anomaly analyzers.'),
  invariantsFile: text(
    '',
    'File of what the states of components must always satisfy, one rule a line, as `sum(service/ledger#accounts.*) == service/ledger#total`.',
  ),
  aiQueryEnabled: flag(true, 'Questions in words.'),
  aiUrl: text(
    '',
    'Model that words the answers, any that speaks OpenAI chat completions: its address up to `/v1`. Empty: none is needed.',
  ),
  aiModel: text('', 'Name of the model.'),
  aiApiKey: text('', 'Key that the model is called with.', { secret: true }),
  cacheTtlSeconds: number(
    300,
    0,
    86400,
    'seconds',
    'Age at which what the cache holds is read again, 0 for no cache. What arrives takes out at once what it makes wrong; where PostgreSQL is shared, entries live 10 s at most, without Redis 1 s.',
  ),
  cacheMaxSize: number(
    1000,
    1,
    1e6,
    'entries',
    'Counts, states and insights kept in the cache, the least lately used goes first.',
  ),
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
  if (wrong.length === 0) wrong.push(...wrongTokens(config as Config), ...relations(config as Config));
  if (wrong.length > 0) {
    throw new DebugError('INVALID', wrong.map(({ field, message }) => `${field}: ${message}`).join('\n'), {
      fields: wrong,
    });
  }
  return config as Config;
}

/** What `--help` prints, a line a setting. */
export function settingsHelp(wrap = (text: string, _indent: number): string => text): string {
  const rows = rowsOf();
  const width = Math.max(...rows.map(({ flag }) => flag.length));
  return rows
    .map(
      ({ flag, variable, shown, doc }) =>
        `  --${flag.padEnd(width)}  ${wrap(`${doc} [${shown}] (${variable})`, width + 6)}`,
    )
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

/**
 * The entries of the variable, then those of the file as it is now: a file, so that no process list or compose file shows them.
 * @throws Error when there is a file that cannot be read or holds none
 */
export function apiTokensOf({ apiTokens, apiTokensFile }: Config): readonly string[] {
  if (apiTokensFile === '') return apiTokens;
  const lines = readFileSync(apiTokensFile, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) throw new Error('holds no token');
  return [...apiTokens, ...lines];
}

/** The declared invariants, as `parse` reads them. @throws DebugError INVALID that names the setting, and the file or the rule that is wrong */
export function invariantsOf<T>({ invariantsFile }: Config, parse: (text: string) => T): T {
  try {
    return parse(invariantsFile === '' ? '' : readFileSync(invariantsFile, 'utf8'));
  } catch (error) {
    const field = variableOf('invariantsFile');
    const message = `${invariantsFile}: ${(error as Error).message}`;
    throw new DebugError('INVALID', `${field}: ${message}`, { fields: [{ field, message }] });
  }
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

/** One a line: patterns have commas. */
function patterns(doc: string): Setting<readonly string[]> {
  const parse = (value: unknown) => {
    const items = (Array.isArray(value) ? value.map(String) : String(value).split('\n')).filter((item) => item !== '');
    if (items.length > PATTERNS_MAX) throw new Error(`must be at most ${PATTERNS_MAX} patterns`);
    for (const item of items) {
      try {
        compileLinear(item);
      } catch (error) {
        throw new Error(`must be patterns that RE2 knows (${(error as Error).message})`);
      }
    }
    return items;
  };
  return { default: [], unit: '', doc, secret: false, parse };
}

const PATTERNS_MAX = 32;

function origins(doc: string): Setting<readonly string[]> {
  const { parse, ...rest } = list([], doc);
  const checked = (value: unknown) => {
    const items = parse(value);
    if (items.every((item) => ORIGIN.test(item))) return items;
    throw new Error('must be origins as https://app.example.com, https://*.example.com or *, with commas between');
  };
  return { ...rest, parse: checked };
}

type Name = keyof typeof SETTINGS;

const NAMES = {
  flag: new Map((Object.keys(SETTINGS) as Name[]).map((name) => [flagOf(name), name])),
  variable: new Map((Object.keys(SETTINGS) as Name[]).map((name) => [variableOf(name), name])),
};

// What the commands read, our tests' own variables, and those of the npm package `debug`, which share the prefix.
const FOREIGN = /^DEBUG_(URL|TOKEN|TOKEN_FILE|TEST_.*|COLORS|DEPTH|FD|HIDE_DATE|SHOW_HIDDEN)$/;

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

function wrongTokens(config: Config): { field: string; message: string }[] {
  try {
    createTokens(apiTokensOf(config));
    return [];
  } catch (error) {
    const field = variableOf(config.apiTokensFile === '' ? 'apiTokens' : 'apiTokensFile');
    return [{ field, message: (error as Error).message }];
  }
}

/** What settings must be to each other. */
function relations(config: Config): { field: string; message: string }[] {
  const wrong: { field: string; message: string }[] = [];
  if (!LOOPBACK.test(config.host) && config.apiTokens.length === 0 && config.apiTokensFile === '' && !config.insecure) {
    wrong.push({
      field: variableOf('host'),
      message: `${config.host} is reachable from other machines: set DEBUG_API_TOKENS, or say --insecure if it is meant for everybody`,
    });
  }
  if ((config.tlsCert === '') !== (config.tlsKey === '')) {
    wrong.push({ field: variableOf('tlsKey'), message: `${variableOf('tlsCert')} and the key need each other` });
  }
  if (config.tlsClientCa !== '' && config.tlsCert === '') {
    wrong.push({ field: variableOf('tlsClientCa'), message: `means nothing without ${variableOf('tlsCert')}` });
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
  const ports = (['otlpGrpcPort', 'otlpHttpPort', 'httpPort', 'grpcPort'] as const).filter(
    (name) => config[name] !== 0,
  );
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

/** Which server the commands ask, and as whom. */
export interface ServerAccess {
  /** Without a slash at the end. */
  url: string;
  /** A bearer token; null: none. */
  token: string | null;
}

/**
 * Flags win over `DEBUG_URL`, `DEBUG_TOKEN` and `DEBUG_TOKEN_FILE`. A token is no flag: flags stand in process lists and histories.
 * @throws Error when the file cannot be read
 */
export function serverAccess(
  flags: { url?: string | undefined; tokenFile?: string | undefined },
  environment: NodeJS.ProcessEnv = process.env,
): ServerAccess {
  const url = flags.url ?? (environment.DEBUG_URL || `http://127.0.0.1:${SETTINGS.httpPort.default}`);
  const file = flags.tokenFile ?? (environment.DEBUG_TOKEN_FILE || undefined);
  const token = file === undefined ? environment.DEBUG_TOKEN : readFileSync(file, 'utf8').trim().split('\n')[0];
  return { url: url.replace(/\/+$/, ''), token: token || null };
}

/** What exporters started from this shell would do: its `OTEL_` variables. */
export function exporterEnvironment(environment: NodeJS.ProcessEnv = process.env): Readonly<Record<string, string>> {
  const set = Object.entries(environment).filter(([name, value]) => name.startsWith('OTEL_') && value);
  return Object.fromEntries(set) as Record<string, string>;
}
