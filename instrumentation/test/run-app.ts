import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildInstrumentation } from '../build.ts';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  process: ChildProcess;
  /** Resolves with the first line of stdout that starts with `prefix`, without it. */
  line(prefix: string): Promise<string>;
  ended: Promise<Ended>;
}

export interface AppOptions {
  args?: string[];
  env?: Record<string, string>;
  /** Default: `--import` of the built register. */
  nodeArgs?: string[];
}

/** The Node that the apps run on; the oldest that the package supports is tried by naming it. */
export const NODE = process.env.INSTRUMENTATION_TEST_NODE ?? process.execPath;

const PACKAGE = join(import.meta.dirname, '..');
/** Not the one of this machine's user: what a test leaves behind is nobody's to deliver. */
const SPOOL = mkdtempSync(join(tmpdir(), 'ai-debug-spool-'));
process.on('exit', () => rmSync(SPOOL, { recursive: true, force: true }));

export const REGISTER = join(PACKAGE, 'dist/register.js');

/** Builds dist/ if it is older than a source, so that a test never passes on yesterday's code. */
export async function ensureBuilt(): Promise<void> {
  const sources = globSync(['*.ts', 'package.json'], { cwd: PACKAGE }).filter((file) => !file.endsWith('.test.ts'));
  const newest = Math.max(...sources.map((file) => statSync(join(PACKAGE, file)).mtimeMs));
  if (!existsSync(REGISTER) || statSync(REGISTER).mtimeMs < newest) await buildInstrumentation();
}

/** Starts `test/apps/<app>` under the register flag, its telemetry going to `endpoint` as OTLP/JSON. */
export function startApp(app: string, endpoint: string, options: AppOptions = {}): Running {
  const { args = [], env = {}, nodeArgs = ['--import', REGISTER] } = options;
  const child = spawn(NODE, [...nodeArgs, join(PACKAGE, 'test/apps', app), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      AI_DEBUG_SPOOL_DIR: SPOOL,
      OTEL_SERVICE_NAME: app.replace(/\.\w+$/, ''),
      ...env,
    },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    process: child,
    ended,
    line: (prefix) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = stdout
            .split('\n')
            .slice(0, -1)
            .find((line) => line.startsWith(prefix));
          if (found !== undefined) resolve(found.slice(prefix.length));
        };
        child.stdout.on('data', look);
        look();
        void ended.then(() => reject(new Error(`the app ended without a line '${prefix}': ${stderr}`)));
      }),
  };
}

export async function runApp(app: string, endpoint: string, options: AppOptions = {}): Promise<Ended> {
  return startApp(app, endpoint, options).ended;
}
