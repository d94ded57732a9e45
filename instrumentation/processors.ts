import { type Context, context } from '@opentelemetry/api';
import type { LogRecordProcessor, ReadWriteLogRecord } from '@opentelemetry/sdk-logs';
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace';
import { agentOf, isAgent } from './agents.ts';
import { CORRELATION_ID, correlationOf, givenCorrelation, OPERATION_ID, operationOf } from './correlation.ts';

/** Stamps the correlation and the operation id on every span when it starts. Stands before the exporting processor. */
export class CorrelationSpanProcessor implements SpanProcessor {
  onStart(span: Span, parent: Context): void {
    const { attributes } = span;
    if (attributes[CORRELATION_ID] === undefined) {
      const given = givenCorrelation(parent);
      // A root span has no parent to derive from: its own new trace id is what all its downstream will derive.
      if (given !== undefined) span.setAttribute(CORRELATION_ID, given);
      else if (!namesItsOwn(attributes)) span.setAttribute(CORRELATION_ID, span.spanContext().traceId);
    }
    const operation = operationOf(parent);
    if (operation !== undefined && attributes[OPERATION_ID] === undefined) span.setAttribute(OPERATION_ID, operation);
    const agent = agentOf(parent);
    if (agent !== undefined && !isAgent(attributes)) span.setAttributes(agent);
  }

  onEnd(): void {}

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

/** The same for log records, console lines and snapshots. Stands before the exporting processor. */
export class CorrelationLogRecordProcessor implements LogRecordProcessor {
  onEmit(record: ReadWriteLogRecord, ctx: Context = context.active()): void {
    const { attributes } = record;
    if (attributes[CORRELATION_ID] === undefined) {
      const given = givenCorrelation(ctx);
      const id = given ?? (namesItsOwn(attributes) ? undefined : correlationOf(ctx));
      if (id !== undefined) record.setAttribute(CORRELATION_ID, id);
    }
    const operation = operationOf(ctx);
    if (operation !== undefined && attributes[OPERATION_ID] === undefined) record.setAttribute(OPERATION_ID, operation);
    const agent = agentOf(ctx);
    if (agent !== undefined && !isAgent(attributes)) record.setAttributes(agent);
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

/**
 * An app that already logs its own `correlationId` means it: the receiver ranks our key first, so a merely derived id
 * would hide the app's. A given id is stamped regardless.
 */
function namesItsOwn(attributes: Record<string, unknown>): boolean {
  return 'correlation_id' in attributes || 'correlation.id' in attributes || 'correlationId' in attributes;
}
