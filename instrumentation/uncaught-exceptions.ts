import { type Context, context, logs, SeverityNumber, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { ATTR_EXCEPTION_STACKTRACE } from '@opentelemetry/semantic-conventions';
import { CORRELATION_ID, OPERATION_ID } from './correlation.ts';
import packageJson from './package.json' with { type: 'json' };

/**
 * Records an uncaught exception, or the unhandled rejection that became one, as a FATAL log. The monitor only looks on:
 * whether the process ends, with which code and which words, is decided as if it were not there.
 *
 * If it does end, the span in which it was thrown would never be finished by its owner, so it is finished here.
 */
export function logUncaughtExceptions(thrower: ThrowerMemory): void {
  process.on('uncaughtExceptionMonitor', (error: unknown, origin) => {
    try {
      const span = trace.getActiveSpan();
      if (span && isFatal()) failSpan(span, error);
      const { ctx, ids } = span ? { ctx: context.active(), ids: {} } : thrower.contextOf(error);
      logs.getLogger(packageJson.name, packageJson.version).emit({
        severityNumber: SeverityNumber.FATAL,
        severityText: 'fatal',
        body: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
        attributes: { 'exception.origin': origin, ...ids },
        exception: error instanceof Error ? error : { name: typeof error, message: String(error) },
        context: ctx,
      });
    } catch {}
  });
}

/**
 * An exception that is thrown synchronously in a handler has unwound its context when it is found uncaught. The HTTP
 * instrumentation has recorded it on the server span on its way; the last such span tells where it came from.
 */
export class ThrowerMemory implements SpanProcessor {
  #last: { stack: unknown; span: ReadableSpan } | undefined;

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    const exception = span.events.at(-1)?.attributes?.[ATTR_EXCEPTION_STACKTRACE];
    if (exception !== undefined) this.#last = { stack: exception, span };
  }

  contextOf(error: unknown): { ctx: Context; ids: Record<string, string> } {
    const last = this.#last;
    if (last === undefined || last.stack !== (error as Error | undefined)?.stack)
      return { ctx: context.active(), ids: {} };
    const ids: Record<string, string> = {};
    for (const key of [CORRELATION_ID, OPERATION_ID]) {
      const id = last.span.attributes[key];
      if (typeof id === 'string') ids[key] = id;
    }
    return { ctx: trace.setSpanContext(context.active(), last.span.spanContext()), ids };
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

function failSpan(span: Span, error: unknown): void {
  const exception = error instanceof Error ? error : String(error);
  span.recordException(exception);
  span.setStatus({ code: SpanStatusCode.ERROR, message: String((error as Error)?.message ?? error) });
  span.end();
}

function isFatal(): boolean {
  return process.listenerCount('uncaughtException') === 0 && !process.hasUncaughtExceptionCaptureCallback();
}
