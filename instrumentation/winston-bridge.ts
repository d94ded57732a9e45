import { type Context, logs, SeverityNumber } from '@opentelemetry/api';
import {
  InstrumentationBase,
  InstrumentationNodeModuleDefinition,
  InstrumentationNodeModuleFile,
} from '@opentelemetry/instrumentation';
import { anyValue } from './any-value.ts';
import { printOnly } from './console-bridge.ts';
import packageJson from './package.json' with { type: 'json' };

/**
 * Sends what winston logs. The official instrumentation only injects the trace ids here: to send, it needs
 * `@opentelemetry/winston-transport`, which writes to the logs API of before 1.10 that this SDK does not serve, and it
 * pushes one more transport into the app's array each time that the array is used.
 *
 * A formatted entry passes `push` once, before it reaches the transports, whichever these are.
 */
export class WinstonLogSending extends InstrumentationBase {
  constructor() {
    super(packageJson.name, packageJson.version, {});
  }

  protected override init(): InstrumentationNodeModuleDefinition[] {
    const versions = ['>=3 <4'];
    const patchLogger = (logger: { prototype: WinstonLogger }): unknown => {
      this._wrap(logger.prototype, 'push', (push) => {
        return function (this: WinstonLogger, entry: unknown): boolean {
          if (isEntry(entry) && isEnabled(this, entry)) emit(entry);
          return printOnly(() => push.call(this, entry));
        };
      });
      return logger;
    };
    const file = new InstrumentationNodeModuleFile('winston/lib/winston/logger.js', versions, patchLogger, () => {});
    return [
      new InstrumentationNodeModuleDefinition(
        'winston',
        versions,
        (exports) => exports,
        () => {},
        [file],
      ),
    ];
  }
}

interface WinstonLogger {
  push(entry: unknown): boolean;
  isLevelEnabled?(level: string): boolean;
}

const LEVEL = Symbol.for('level');
/** Where the official instrumentation keeps the context of the call: the stream may run later, under another. */
const CONTEXT = Symbol.for('opentelemetry.js.contrib.winston.context');

interface Entry extends Record<string, unknown> {
  [LEVEL]: string;
  [CONTEXT]?: Context;
}

/** The levels of winston's npm, syslog and cli sets, and the usual custom names. */
const SEVERITY: Record<string, SeverityNumber> = {
  emerg: SeverityNumber.FATAL3,
  alert: SeverityNumber.FATAL2,
  crit: SeverityNumber.FATAL,
  fatal: SeverityNumber.FATAL,
  error: SeverityNumber.ERROR,
  warn: SeverityNumber.WARN,
  warning: SeverityNumber.WARN,
  notice: SeverityNumber.INFO2,
  help: SeverityNumber.INFO3,
  data: SeverityNumber.INFO2,
  info: SeverityNumber.INFO,
  http: SeverityNumber.DEBUG3,
  verbose: SeverityNumber.DEBUG2,
  debug: SeverityNumber.DEBUG,
  prompt: SeverityNumber.TRACE4,
  input: SeverityNumber.TRACE2,
  trace: SeverityNumber.TRACE,
  silly: SeverityNumber.TRACE,
};

function emit(entry: Entry): void {
  try {
    const { message, level: _, trace_id: __, span_id: ___, trace_flags: ____, ...attributes } = entry;
    const { exception, keys } = exceptionOf(entry);
    for (const key of keys) delete attributes[key];
    logs.getLogger(packageJson.name, packageJson.version).emit({
      severityNumber: SEVERITY[entry[LEVEL]] ?? SeverityNumber.INFO,
      severityText: entry[LEVEL],
      body: anyValue(message),
      attributes: anyValue(attributes) as Record<string, never>,
      ...(entry[CONTEXT] ? { context: entry[CONTEXT] } : {}),
      ...(exception === undefined ? {} : { exception }),
    });
  } catch {}
}

/** `logger.error('…', { error })`, `{ err }`, `logger.error(new Error())` and what `format.errors({ stack })` makes of it. */
function exceptionOf(entry: Entry): { exception?: unknown; keys: string[] } {
  for (const key of ['err', 'error']) {
    if (entry[key] instanceof Error) return { exception: entry[key], keys: [key] };
  }
  if (typeof entry.stack !== 'string') return { keys: [] };
  const name = /^(\w+):/.exec(entry.stack)?.[1] ?? 'Error';
  return { exception: { name, message: String(entry.message), stack: entry.stack }, keys: ['stack'] };
}

function isEntry(entry: unknown): entry is Entry {
  return typeof entry === 'object' && entry !== null && typeof (entry as Entry)[LEVEL] === 'string';
}

function isEnabled(logger: WinstonLogger, entry: Entry): boolean {
  return logger.isLevelEnabled?.(entry[LEVEL]) ?? true;
}
