import { type Logger, logs, ProxyTracerProvider, trace } from '@opentelemetry/api';

/**
 * An app may bring OpenTelemetry's own instrumentations along, from an SDK that it starts or from a second flag. What they see and ours
 * see must not be told twice: ours of HTTP and undici step back for theirs, and lines that a bridge of ours sends are not taken
 * from theirs.
 */
export function watchOtherInstrumentations(): void {
  const tracers = trace.getTracerProvider();
  const { getTracer } = tracers;
  // Each asks for its tracer when it is made, which is before it sees its first request.
  tracers.getTracer = (scope, ...rest) => {
    if (scope.startsWith(PREFIX)) present.add(scope.slice(PREFIX.length));
    return getTracer.call(tracers, scope, ...rest);
  };
  const loggers = logs.getLoggerProvider();
  const { getLogger } = loggers;
  loggers.getLogger = (scope, ...rest) => {
    const logger = getLogger.call(loggers, scope, ...rest);
    return scope.startsWith(PREFIX) ? unlessBridged(scope.slice(PREFIX.length), logger) : logger;
  };
}

const PREFIX = '@opentelemetry/instrumentation-';
const present = new Set<string>();
const bridged = new Set<string>();

/** @param name as in `@opentelemetry/instrumentation-NAME` */
export function isInstrumentedByOthers(name: 'http' | 'undici'): boolean {
  return present.has(name);
}

/** From now on a bridge of ours sends what this logger of the app says. */
export function linesAreBridged(name: 'pino' | 'bunyan'): void {
  bridged.add(name);
}

function unlessBridged(name: string, logger: Logger): Logger {
  return {
    emit: (record) => {
      if (!bridged.has(name)) logger.emit(record);
    },
    enabled: (options) => !bridged.has(name) && logger.enabled(options),
  };
}

/** Whether an SDK is there before us: the first one that registers is the one that everybody gets. */
export function isRegisteredByOthers(): boolean {
  const tracers = trace.getTracerProvider();
  return !(tracers instanceof ProxyTracerProvider) || tracers.getDelegate() !== new ProxyTracerProvider().getDelegate();
}
