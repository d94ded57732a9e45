import {
  type AnyValue,
  type Attributes,
  type Context,
  context,
  type HrTime,
  type Logger,
  type LoggerOptions,
  type LoggerProvider,
  type LogRecord,
  type SeverityNumber,
  type SpanContext,
} from '@opentelemetry/api';
import { type InstrumentationScope, timeInputToHrTime } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import type { LogRecordProcessor, ReadWriteLogRecord } from '@opentelemetry/sdk-logs';
import { anyValue } from './any-value.ts';
import { exceptionAttributes } from './exceptions.ts';
import { validSpanContext } from './span-contexts.ts';
import { scopeOf } from './spans.ts';

/** What the specification gives where no `OTEL_LOGRECORD_*_LIMIT` says otherwise. */
const ATTRIBUTES_MAX = 128;

/**
 * Log records as OpenTelemetry's API makes them and its processors change them, for the usual case that nobody has set other limits:
 * what `spans.ts` is for spans, and for the same reason. What an app logs is copied bounded and free of circles (`anyValue`), where
 * the SDK refuses an object that it cannot carry.
 */
export class LightLoggerProvider implements LoggerProvider {
  readonly #resource: Resource;
  readonly #processors: readonly LogRecordProcessor[];
  readonly #loggers = new Map<string, Logger>();

  constructor(resource: Resource, processors: readonly LogRecordProcessor[]) {
    this.#resource = resource;
    this.#processors = processors;
  }

  /** One per scope: records are grouped by the identity of their scope. */
  getLogger(name: string, version?: string, options?: LoggerOptions): Logger {
    const { schemaUrl, attributes } = options ?? {};
    const key = `${name}\n${version}\n${schemaUrl}\n${attributes === undefined ? '' : JSON.stringify(attributes)}`;
    let logger = this.#loggers.get(key);
    if (logger === undefined) {
      const scope = { ...scopeOf(name, version, schemaUrl), ...(attributes === undefined ? {} : { attributes }) };
      logger = new LightLogger(scope, this.#resource, this.#processors);
      this.#loggers.set(key, logger);
    }
    return logger;
  }
}

class LightLogger implements Logger {
  readonly #scope: InstrumentationScope;
  readonly #resource: Resource;
  readonly #processors: readonly LogRecordProcessor[];

  constructor(scope: InstrumentationScope, resource: Resource, processors: readonly LogRecordProcessor[]) {
    this.#scope = scope;
    this.#resource = resource;
    this.#processors = processors;
  }

  enabled(): boolean {
    return true;
  }

  emit(said: LogRecord): void {
    const ctx = said.context ?? context.active();
    const record = new LightLogRecord(said, ctx, this.#scope, this.#resource);
    for (const processor of this.#processors) processor.onEmit(record, ctx);
  }
}

class LightLogRecord implements ReadWriteLogRecord {
  hrTime: HrTime;
  hrTimeObserved: HrTime;
  spanContext?: SpanContext;
  readonly resource: Resource;
  readonly instrumentationScope: InstrumentationScope;
  readonly attributes: Attributes = {};
  severityText?: string;
  severityNumber?: SeverityNumber;
  body?: AnyValue;
  eventName?: string;
  droppedAttributesCount = 0;
  #attributesCount = 0;

  constructor(said: LogRecord, ctx: Context, scope: InstrumentationScope, resource: Resource) {
    const { timestamp, observedTimestamp, severityNumber, severityText, body, eventName, attributes, exception } = said;
    this.hrTimeObserved = timeInputToHrTime(observedTimestamp ?? Date.now());
    this.hrTime = timestamp === undefined ? this.hrTimeObserved : timeInputToHrTime(timestamp);
    const spanContext = validSpanContext(ctx);
    if (spanContext !== undefined) this.spanContext = spanContext;
    if (severityNumber !== undefined) this.severityNumber = severityNumber;
    if (severityText !== undefined) this.severityText = severityText;
    if (eventName !== undefined) this.eventName = eventName;
    if (body !== undefined) this.body = anyValue(body);
    this.resource = resource;
    this.instrumentationScope = scope;
    if (attributes !== undefined) this.#fill(attributes);
    // What the app says of the exception itself stands.
    if (exception !== undefined && exception !== null)
      this.setAttributes({ ...exceptionAttributes(exception), ...attributes });
  }

  /** As `setAttributes` while there are none: nothing to be looked up. */
  #fill(attributes: Attributes): void {
    for (const key of Object.keys(attributes)) {
      const plain = anyValue(attributes[key]);
      if (plain === undefined || key === '') continue;
      if (this.#attributesCount >= ATTRIBUTES_MAX) this.droppedAttributesCount++;
      else {
        this.#attributesCount++;
        this.attributes[key] = plain as Attributes[string];
      }
    }
  }

  setAttribute(key: string, value?: AnyValue): this {
    const plain = anyValue(value);
    if (plain === undefined || key === '') return this;
    if (!Object.hasOwn(this.attributes, key)) {
      if (this.#attributesCount >= ATTRIBUTES_MAX) {
        this.droppedAttributesCount++;
        return this;
      }
      this.#attributesCount++;
    }
    this.attributes[key] = plain as Attributes[string];
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const key of Object.keys(attributes)) this.setAttribute(key, attributes[key]);
    return this;
  }

  setBody(body: AnyValue): this {
    this.body = body;
    return this;
  }

  setEventName(eventName: string): this {
    this.eventName = eventName;
    return this;
  }

  setSeverityNumber(severityNumber: SeverityNumber): this {
    this.severityNumber = severityNumber;
    return this;
  }

  setSeverityText(severityText: string): this {
    this.severityText = severityText;
    return this;
  }
}
