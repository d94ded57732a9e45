import { format } from 'node:util';
import { logs, SeverityNumber } from '@opentelemetry/api';
import packageJson from './package.json' with { type: 'json' };

/** The methods that write by themselves; `table`, `assert`, `count` and the rest end in one of these. */
const METHODS = {
  trace: { severityNumber: SeverityNumber.TRACE, severityText: 'trace', stream: 'stderr' },
  debug: { severityNumber: SeverityNumber.DEBUG, severityText: 'debug', stream: 'stdout' },
  dir: { severityNumber: SeverityNumber.INFO, severityText: 'info', stream: 'stdout' },
  log: { severityNumber: SeverityNumber.INFO, severityText: 'info', stream: 'stdout' },
  info: { severityNumber: SeverityNumber.INFO, severityText: 'info', stream: 'stdout' },
  warn: { severityNumber: SeverityNumber.WARN, severityText: 'warn', stream: 'stderr' },
  error: { severityNumber: SeverityNumber.ERROR, severityText: 'error', stream: 'stderr' },
} as const;

/** A line longer than this is cut in the record, not on the console. */
const BODY_LENGTH_MAX = 64 * 1024;

/** What becomes of a line: it is printed and recorded, only printed, or neither. */
let mode: 'record' | 'print' | 'ignore' = 'record';

/** Makes every console line a log record too. What the console prints stays as it is, and is printed first. */
export function bridgeConsole(): void {
  for (const method of Object.keys(METHODS) as (keyof typeof METHODS)[]) {
    const print = console[method] as (...args: unknown[]) => void;
    console[method] = function (this: unknown, ...args: unknown[]): void {
      if (mode === 'ignore') return;
      print.apply(this, args);
      // To format a second time runs the app's inspectors again; what they print was printed the first time.
      if (mode === 'record') withConsole('ignore', () => emit(method, args));
    };
  }
}

/** For bridges of loggers that may print through the console: their record is already sent. */
export function printOnly<T>(fn: () => T): T {
  return withConsole('print', fn);
}

function withConsole<T>(during: typeof mode, fn: () => T): T {
  const before = mode;
  mode = during;
  try {
    return fn();
  } finally {
    mode = before;
  }
}

function emit(method: keyof typeof METHODS, args: unknown[]): void {
  try {
    const { severityNumber, severityText, stream } = METHODS[method];
    const shown = method === 'dir' ? args.slice(0, 1) : args;
    const error = shown.find((arg) => arg instanceof Error);
    logs.getLogger(packageJson.name, packageJson.version).emit({
      severityNumber,
      severityText,
      body: format(...shown.map(withoutStack)).slice(0, BODY_LENGTH_MAX),
      attributes: { 'log.iostream': stream },
      ...(error ? { exception: error } : {}),
    });
  } catch {}
}

/** The stack goes to `exception.stacktrace`; in the body it would make a template of its own of every call path. */
function withoutStack(arg: unknown): unknown {
  return arg instanceof Error ? `${arg.name}: ${arg.message}` : arg;
}
