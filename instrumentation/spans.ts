import { randomFillSync } from 'node:crypto';
import {
  type Attributes,
  type AttributeValue,
  type Context,
  context,
  type Exception,
  type HrTime,
  INVALID_SPAN_CONTEXT,
  type Link,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
  TraceFlags,
  type Tracer,
  type TracerOptions,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import {
  hrTimeDuration,
  type InstrumentationScope,
  isTimeInput,
  isTracingSuppressed,
  timeInputToHrTime,
} from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import type { Span as ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { anyValue } from './any-value.ts';
import { exceptionAttributes } from './exceptions.ts';
import { ValidSpanContext, validSpanContext } from './span-contexts.ts';

/** What the specification gives where no `OTEL_*_LIMIT` says otherwise, for attributes, events and links each. */
const COUNT_MAX = 128;

/**
 * Spans as OpenTelemetry's API makes them and its serializers read them, for the usual case: every trace is recorded unless its caller
 * says no, and nobody has set other limits. Where somebody has, the SDK's own provider serves (see `register.ts`).
 *
 * The SDK checks every attribute of every span against sampler and limits, asks two clocks and copies what it is given.
 */
export class LightTracerProvider implements TracerProvider {
  readonly #resource: Resource;
  readonly #processors: readonly SpanProcessor[];
  readonly #tracers = new Map<string, Tracer>();

  constructor(resource: Resource, processors: readonly SpanProcessor[]) {
    this.#resource = resource;
    this.#processors = processors;
  }

  /** One per scope: spans are grouped by the identity of their scope. */
  getTracer(name: string, version?: string, options?: TracerOptions): Tracer {
    const key = `${name}\n${version}\n${options?.schemaUrl}`;
    let tracer = this.#tracers.get(key);
    if (tracer === undefined) {
      tracer = new LightTracer(scopeOf(name, version, options?.schemaUrl), this.#resource, this.#processors);
      this.#tracers.set(key, tracer);
    }
    return tracer;
  }
}

export function scopeOf(
  name: string,
  version: string | undefined,
  schemaUrl: string | undefined,
): InstrumentationScope {
  return {
    name,
    ...(version === undefined ? {} : { version }),
    ...(schemaUrl === undefined ? {} : { schemaUrl }),
  };
}

class LightTracer implements Tracer {
  readonly #scope: InstrumentationScope;
  readonly #resource: Resource;
  readonly #processors: readonly SpanProcessor[];

  constructor(scope: InstrumentationScope, resource: Resource, processors: readonly SpanProcessor[]) {
    this.#scope = scope;
    this.#resource = resource;
    this.#processors = processors;
  }

  enabled(): boolean {
    return true;
  }

  startSpan(name: string, options: SpanOptions = {}, ctx: Context = context.active()): Span {
    if (isTracingSuppressed(ctx)) return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
    const parent = options.root ? undefined : validSpanContext(ctx);
    const own = new ValidSpanContext(
      parent?.traceId ?? randomHex(16),
      randomHex(8),
      parent?.traceFlags ?? TraceFlags.SAMPLED,
      false,
      parent?.traceState,
    );
    if ((own.traceFlags & TraceFlags.SAMPLED) === 0) return trace.wrapSpanContext(own);
    const span = new LightSpan(name, own, parent, options, this.#scope, this.#resource, this.#processors);
    for (const processor of this.#processors) processor.onStart(span, ctx);
    return span;
  }

  startActiveSpan<F extends (span: Span) => unknown>(name: string, ...rest: unknown[]): ReturnType<F> {
    const fn = rest.pop() as F;
    const [options, given] = rest as [SpanOptions?, Context?];
    const ctx = given ?? context.active();
    const span = this.startSpan(name, options, ctx);
    return context.with(trace.setSpan(ctx, span), () => fn(span)) as ReturnType<F>;
  }
}

class LightSpan implements ReadableSpan {
  name: string;
  readonly kind: SpanKind;
  readonly parentSpanContext?: SpanContext;
  readonly resource: Resource;
  readonly instrumentationScope: InstrumentationScope;
  readonly attributes: Attributes;
  readonly links: Link[];
  readonly events: ReadableSpan['events'] = [];
  readonly startTime: HrTime;
  endTime: HrTime = [0, 0];
  duration: HrTime = [0, 0];
  ended = false;
  status: SpanStatus = { code: SpanStatusCode.UNSET };
  droppedAttributesCount = 0;
  droppedEventsCount = 0;
  droppedLinksCount: number;
  readonly #context: SpanContext;
  readonly #processors: readonly SpanProcessor[];
  #attributesCount = 0;

  constructor(
    name: string,
    own: SpanContext,
    parent: SpanContext | undefined,
    { kind = SpanKind.INTERNAL, attributes, links = [], startTime }: SpanOptions,
    scope: InstrumentationScope,
    resource: Resource,
    processors: readonly SpanProcessor[],
  ) {
    this.name = name;
    this.kind = kind;
    this.#context = own;
    if (parent !== undefined) this.parentSpanContext = parent;
    this.instrumentationScope = scope;
    this.resource = resource;
    this.#processors = processors;
    this.links = links.slice(0, COUNT_MAX);
    this.droppedLinksCount = links.length - this.links.length;
    this.startTime = startTime === undefined ? now() : timeInputToHrTime(startTime);
    this.attributes = { ...attributes };
    this.#attributesCount = plainCount(this.attributes);
    if (this.#attributesCount < 0) {
      this.attributes = {};
      this.#attributesCount = 0;
      this.setAttributes(attributes!);
    }
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  isRecording(): boolean {
    return !this.ended;
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (this.ended || value === undefined || value === null || key === '') return this;
    if (this.attributes[key] === undefined) {
      if (this.#attributesCount >= COUNT_MAX) {
        this.droppedAttributesCount++;
        return this;
      }
      this.#attributesCount++;
    }
    this.attributes[key] = typeof value === 'object' ? (anyValue(value) as AttributeValue) : value;
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const key of Object.keys(attributes)) this.setAttribute(key, attributes[key] as AttributeValue);
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (this.ended) return this;
    if (this.events.length >= COUNT_MAX) {
      this.events.shift(); // The last ones tell how it ended.
      this.droppedEventsCount++;
    }
    const isTime = isTimeInput(attributesOrTime);
    const at = time ?? (isTime ? attributesOrTime : undefined);
    this.events.push({
      name,
      time: at === undefined ? now() : timeInputToHrTime(at),
      attributes: isTime ? {} : (anyValue({ ...(attributesOrTime as Attributes | undefined) }) as Attributes),
      droppedAttributesCount: 0,
    });
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    this.addEvent('exception', exceptionAttributes(exception), time);
  }

  addLink(link: Link): this {
    if (this.ended) return this;
    if (this.links.length < COUNT_MAX) this.links.push(link);
    else this.droppedLinksCount++;
    return this;
  }

  addLinks(links: Link[]): this {
    for (const link of links) this.addLink(link);
    return this;
  }

  /** Ok is final, and nobody unsets. */
  setStatus(status: SpanStatus): this {
    if (this.ended || status.code === SpanStatusCode.UNSET || this.status.code === SpanStatusCode.OK) return this;
    const { code, message } = status;
    this.status = code === SpanStatusCode.ERROR && typeof message === 'string' ? { code, message } : { code };
    return this;
  }

  updateName(name: string): this {
    if (!this.ended) this.name = name;
    return this;
  }

  end(endTime?: TimeInput): void {
    if (this.ended) return;
    const at = endTime === undefined ? now() : timeInputToHrTime(endTime);
    this.duration = hrTimeDuration(this.startTime, at);
    const isBackwards = this.duration[0] < 0;
    this.endTime = isBackwards ? this.startTime : at;
    if (isBackwards) this.duration = [0, 0];
    this.ended = true;
    for (const processor of this.#processors) processor.onEnd(this);
  }
}

/** How many there are, or -1 where they cannot all be taken as they are. */
function plainCount(attributes: Attributes): number {
  let count = 0;
  for (const key in attributes) {
    const value = attributes[key];
    if (key === '' || value === undefined || typeof value === 'object') return -1;
    count++;
  }
  return count > COUNT_MAX ? -1 : count;
}

const RANDOM = Buffer.alloc(4096);
let randomAt = RANDOM.length;

/** One call for 4 KiB instead of one an id: 16 bytes take 1.3 µs from the pool of the system. */
function randomHex(bytes: number): string {
  if (randomAt + bytes > RANDOM.length) {
    randomFillSync(RANDOM);
    randomAt = 0;
  }
  const hex = RANDOM.toString('hex', randomAt, randomAt + bytes);
  randomAt += bytes;
  return hex;
}

/** The monotonic clock with the wall clock's hands, which are compared once a second: somebody may have set them. */
const ANCHOR_MS = 1000;
let anchoredMs = Number.NEGATIVE_INFINITY;
let offsetMs = 0;

function now(): HrTime {
  const monotonicMs = performance.now();
  if (monotonicMs - anchoredMs > ANCHOR_MS) {
    anchoredMs = monotonicMs;
    const apartMs = Date.now() - (monotonicMs + offsetMs);
    // Date.now() is cut to whole milliseconds: within one they agree, and spans keep their order.
    if (apartMs < -1 || apartMs > 1) offsetMs = Date.now() - monotonicMs;
  }
  const ms = monotonicMs + offsetMs;
  const seconds = Math.trunc(ms / 1000);
  return [seconds, Math.trunc((ms - seconds * 1000) * 1e6)];
}
