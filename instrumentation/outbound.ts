import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_FULL,
  METRIC_HTTP_CLIENT_REQUEST_DURATION,
} from '@opentelemetry/semantic-conventions';
import type { Durations, Histogram } from './durations.ts';
import { methodOf } from './http-attributes.ts';
import packageJson from './package.json' with { type: 'json' };

/** Who is called, and with what. */
export interface Target {
  method: string | undefined;
  address: string;
  port: number;
  /** Without the secrets of its query. */
  url: string;
}

/** Makes the span and the duration of each request that the app sends, whichever client it sends it with. */
export class OutboundRequests {
  readonly #tracer: Tracer = trace.getTracer(packageJson.name, packageJson.version);
  readonly #durations: Histogram;

  constructor(durations: Durations) {
    this.#durations = durations.histogram(METRIC_HTTP_CLIENT_REQUEST_DURATION, 'Duration of HTTP client requests.', [
      ATTR_HTTP_REQUEST_METHOD,
      ATTR_SERVER_ADDRESS,
      ATTR_SERVER_PORT,
      ATTR_HTTP_RESPONSE_STATUS_CODE,
      ATTR_ERROR_TYPE,
    ]);
  }

  start(target: Target): OutboundRequest {
    return new OutboundRequest(target, this.#tracer, this.#durations);
  }
}

export class OutboundRequest {
  /** In force where the request was made. */
  readonly parent: Context = context.active();
  readonly span: Span;
  readonly #method: string;
  readonly #target: Target;
  readonly #durations: Histogram;
  readonly #startMs = performance.now();
  #statusCode: number | undefined;
  #ended = false;

  constructor(target: Target, tracer: Tracer, durations: Histogram) {
    this.#target = target;
    this.#method = methodOf(target.method);
    this.#durations = durations;
    const attributes: Attributes = {
      [ATTR_HTTP_REQUEST_METHOD]: this.#method,
      [ATTR_SERVER_ADDRESS]: target.address,
      [ATTR_SERVER_PORT]: target.port,
      [ATTR_URL_FULL]: target.url,
    };
    this.span = tracer.startSpan(this.#method, { kind: SpanKind.CLIENT, attributes }, this.parent);
  }

  answered(statusCode: number): void {
    this.#statusCode = statusCode;
    this.span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, statusCode);
  }

  failed(error: NodeJS.ErrnoException): void {
    if (this.#ended) return;
    this.span.recordException(error);
    this.end(String(error.code ?? error.name), error.message);
  }

  /** @param errorType why it failed; the status of the answer where none is given and that is 400 or more */
  end(errorType?: string, message?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const { span } = this;
    const statusCode = this.#statusCode;
    const errored = errorType ?? (statusCode !== undefined && statusCode >= 400 ? String(statusCode) : undefined);
    if (errored !== undefined) {
      span.setAttribute(ATTR_ERROR_TYPE, errored);
      span.setStatus({ code: SpanStatusCode.ERROR, ...(message === undefined ? {} : { message }) });
    }
    span.end();
    const { address, port } = this.#target;
    const seconds = (performance.now() - this.#startMs) / 1000;
    this.#durations.record(seconds, [this.#method, address, port, statusCode, errored]);
  }
}
