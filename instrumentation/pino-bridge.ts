import { type AnyValue, type Attributes, type Logger, logs } from '@opentelemetry/api';
import { InstrumentationBase, InstrumentationNodeModuleDefinition } from '@opentelemetry/instrumentation';
import { severityOf } from './logger-levels.ts';
import packageJson from './package.json' with { type: 'json' };
import { traceFields } from './trace-fields.ts';

/**
 * Sends what pino logs, and puts the trace ids into its lines. Every logger and child makes its line with the one `asJson` of the
 * prototype that all share: there the line passes once, whatever its destination (a stream, several, a worker thread), redacted and
 * formatted as the app has said. The app's `pino` and its loggers stay what they were.
 *
 * Instead of @opentelemetry/instrumentation-pino because that puts a stream of its own beside the app's in every logger, which
 * takes longer than the line.
 */
export class PinoBridge extends InstrumentationBase {
  constructor() {
    super(packageJson.name, packageJson.version, {});
  }

  protected override init(): InstrumentationNodeModuleDefinition[] {
    const bridge = (exports: unknown): unknown => {
      const pino = ((exports as { default?: Pino }).default ?? exports) as Pino;
      bridgePrototype(pino);
      return exports;
    };
    return [new InstrumentationNodeModuleDefinition('pino', ['>=7 <11'], bridge)];
  }
}

type AsJson = (this: PinoLogger, fields: object, message: unknown, level: number, time: string) => string;

type Pino = ((options: object, stream: object) => PinoLogger) & {
  symbols: Record<'asJsonSym' | 'messageKeySym' | 'errorKeySym', symbol>;
};

interface PinoLogger {
  levels: { labels: Record<number, string> };
  [symbol: symbol]: unknown;
}

const bridged = new WeakSet<object>();

function bridgePrototype(pino: Pino): void {
  const { asJsonSym, messageKeySym, errorKeySym } = pino.symbols;
  let owner: object | null = pino({ enabled: false }, { write() {} });
  while (owner !== null && !Object.hasOwn(owner, asJsonSym)) owner = Object.getPrototypeOf(owner);
  if (owner === null || bridged.has(owner)) return;
  bridged.add(owner);
  const prototype = owner as PinoLogger;
  const asJson = prototype[asJsonSym] as AsJson;
  prototype[asJsonSym] = function (fields, message, level, time) {
    const line = asJson.call(this, fields, message, level, time);
    emit(
      line,
      level,
      this.levels.labels[level],
      this[messageKeySym] as string,
      this[errorKeySym] as string | undefined,
    );
    return withTraceFields(line);
  } satisfies AsJson;
}

/** What a record has a place of its own for, or its resource. */
const HEADER = new Set(['time', 'level', 'pid', 'hostname', 'otel.event.name']);
let logger: Logger | undefined;

function emit(line: string, level: number, label: string | undefined, messageKey: string, errorKey = 'err'): void {
  try {
    const said = JSON.parse(line) as Record<string, unknown>;
    const attributes: Attributes = {};
    for (const key of Object.keys(said))
      if (key !== messageKey && key !== errorKey && !HEADER.has(key)) attributes[key] = said[key] as AnyValue;
    const { time, 'otel.event.name': eventName, [messageKey]: body, [errorKey]: exception } = said;
    const timestamp = millisecondsOf(time);
    if (timestamp === undefined && time !== undefined) attributes.time = time as AnyValue;
    logger ??= logs.getLogger(packageJson.name, packageJson.version);
    logger.emit({
      severityNumber: severityOf(level),
      body: body as string,
      attributes,
      ...(label === undefined ? {} : { severityText: label }),
      ...(timestamp === undefined ? {} : { timestamp }),
      ...(typeof eventName === 'string' ? { eventName } : {}),
      ...(exception === undefined ? {} : { exception: named(exception) }),
    });
  } catch {}
}

/** Of the time functions that pino brings: milliseconds, ISO 8601, seconds. */
function millisecondsOf(time: unknown): number | undefined {
  const ms = typeof time === 'string' ? Date.parse(time) : typeof time === 'number' ? time : Number.NaN;
  if (!Number.isFinite(ms)) return undefined;
  return typeof time === 'number' && ms < SECONDS_MAX ? ms * 1000 : ms;
}

/** A smaller number counts seconds (to the year 5138), a larger one milliseconds (from 1973). */
const SECONDS_MAX = 1e11;

/** pino's own serializer calls an error's name `type`. */
function named(exception: unknown): unknown {
  if (typeof exception !== 'object' || exception === null) return exception;
  const { type, name = type } = exception as { type?: unknown; name?: unknown };
  return { ...exception, name };
}

/** Appended, as the line is a text already; an app that writes the ids itself keeps its own. */
function withTraceFields(line: string): string {
  const ids = traceFields();
  if (ids === undefined || line.includes('"trace_id":')) return line;
  const end = line.lastIndexOf('}');
  if (end < 0) return line;
  const { trace_id, span_id, trace_flags } = ids;
  const comma = end > 1 ? ',' : '';
  return `${line.slice(0, end)}${comma}"trace_id":"${trace_id}","span_id":"${span_id}","trace_flags":"${trace_flags}"${line.slice(end)}`;
}
