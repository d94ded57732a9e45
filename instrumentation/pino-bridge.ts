import { type AnyValue, type Attributes, type Logger, type LogRecord, logs } from '@opentelemetry/api';
import { InstrumentationBase, InstrumentationNodeModuleDefinition } from '@opentelemetry/instrumentation';
import { severityOf } from './logger-levels.ts';
import { linesAreBridged } from './other-instrumentations.ts';
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

type SymbolName =
  | 'asJsonSym'
  | 'chindingsSym'
  | 'errorKeySym'
  | 'formattersSym'
  | 'lsCacheSym'
  | 'messageKeySym'
  | 'nestedKeySym'
  | 'serializersSym'
  | 'stringifiersSym'
  | 'wildcardFirstSym';

type Pino = ((options: object, stream: object) => PinoLogger) & {
  symbols: Record<SymbolName, symbol>;
};

interface PinoLogger {
  levels: { labels: Record<number, string> };
  [symbol: symbol]: unknown;
}

const bridged = new WeakSet<object>();

function bridgePrototype(pino: Pino): void {
  const { symbols } = pino;
  const { asJsonSym, messageKeySym, errorKeySym } = symbols;
  let owner: object | null = pino({ enabled: false }, { write() {} });
  while (owner !== null && !Object.hasOwn(owner, asJsonSym)) owner = Object.getPrototypeOf(owner);
  if (owner === null || bridged.has(owner)) return;
  bridged.add(owner);
  linesAreBridged('pino');
  const prototype = owner as PinoLogger;
  const asJson = prototype[asJsonSym] as AsJson;
  const plainFieldsOf = plainFieldsReader(symbols);
  prototype[asJsonSym] = function (fields, message, level, time) {
    const line = asJson.call(this, fields, message, level, time);
    let said: Fields | undefined;
    try {
      said = plainFieldsOf(this, fields, message, level, time);
    } catch {} // A pino that keeps them otherwise: the line says it all.
    try {
      said ??= parsedFieldsOf(line, this[messageKeySym] as string, this[errorKeySym] as string | undefined);
      emit(said, level, this.levels.labels[level]);
    } catch {}
    return withTraceFields(line);
  } satisfies AsJson;
}

/** What a line says besides its level. */
interface Fields {
  attributes: Attributes;
  body: unknown;
  timestamp?: number | undefined;
  eventName?: unknown;
  exception?: unknown;
}

let logger: Logger | undefined;

function emit({ attributes, body, timestamp, eventName, exception }: Fields, level: number, label?: string): void {
  const record: LogRecord = { severityNumber: severityOf(level), body: body as AnyValue, attributes };
  if (label !== undefined) record.severityText = label;
  if (timestamp !== undefined) record.timestamp = timestamp;
  if (typeof eventName === 'string') record.eventName = eventName;
  if (exception !== undefined) record.exception = named(exception);
  logger ??= logs.getLogger(packageJson.name, packageJson.version);
  logger.emit(record);
}

/** What a record has a place of its own for, or its resource. */
const HEADER = new Set(['time', 'level', 'pid', 'hostname', 'otel.event.name']);

function parsedFieldsOf(line: string, messageKey: string, errorKey = 'err'): Fields {
  const said = JSON.parse(line) as Record<string, unknown>;
  const attributes: Attributes = {};
  for (const key of Object.keys(said))
    if (key !== messageKey && key !== errorKey && !HEADER.has(key)) attributes[key] = said[key] as AnyValue;
  const { time, 'otel.event.name': eventName, [messageKey]: body, [errorKey]: exception } = said;
  const timestamp = millisecondsOf(time);
  if (timestamp === undefined && time !== undefined) attributes.time = time as AnyValue;
  return { attributes, body, timestamp, eventName, exception };
}

/** How the milliseconds of pino's own clock stand in the line. */
const TIME = ',"time":';
const BINDINGS_MAX = 100;

/**
 * The same without the line: from what pino is given, where all of it is texts, numbers and booleans that pino prints as they are,
 * because the app has set no serializer, formatter, redaction or clock for them; else undefined.
 */
function plainFieldsReader(symbols: Pino['symbols']) {
  const { chindingsSym, formattersSym, serializersSym, stringifiersSym, wildcardFirstSym } = symbols;
  const { lsCacheSym, messageKeySym, errorKeySym, nestedKeySym } = symbols;
  const parsed = new Map<string, Attributes>();

  /** The logger's own fields, which pino keeps as text. */
  const bindingsOf = (printed: string): Attributes => {
    let bindings = parsed.get(printed);
    if (bindings === undefined) {
      bindings = JSON.parse(`{${printed.slice(1)}}`) as Attributes;
      for (const key of ['pid', 'hostname']) delete bindings[key];
      if (parsed.size >= BINDINGS_MAX) parsed.clear();
      parsed.set(printed, bindings);
    }
    return bindings;
  };

  return (logger: PinoLogger, fields: object, message: unknown, level: number, time: string): Fields | undefined => {
    const stringifiers = logger[stringifiersSym] as object;
    const serializers = logger[serializersSym] as object;
    const messageKey = logger[messageKeySym] as string;
    const errorKey = (logger[errorKeySym] ?? 'err') as string;
    const isPrintedOtherwise = (key: string): boolean =>
      key in serializers || key in stringifiers || key === messageKey || key === errorKey || HEADER.has(key);

    const timestamp = time.startsWith(TIME) ? Number(time.slice(TIME.length)) : Number.NaN;
    if (!(timestamp >= SECONDS_MAX) || (message !== undefined && typeof message !== 'string')) return undefined;
    if (logger[nestedKeySym] || (logger[formattersSym] as { log?: unknown }).log) return undefined;
    if ((logger[lsCacheSym] as Record<number, string>)[level] !== `{"level":${level}`) return undefined;
    if (messageKey in serializers || messageKey in stringifiers || wildcardFirstSym in stringifiers) return undefined;

    const bindings = bindingsOf(logger[chindingsSym] as string);
    for (const key in bindings) if (key === messageKey || key === errorKey || HEADER.has(key)) return undefined;
    const attributes = { ...bindings };
    for (const key in fields) {
      const value = Object.hasOwn(fields, key) ? (fields as Attributes)[key] : undefined;
      if (value === undefined) continue;
      const isPlain = typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
      if (!isPlain || isPrintedOtherwise(key)) return undefined;
      attributes[key] = value;
    }
    return { attributes, body: message, timestamp };
  };
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
