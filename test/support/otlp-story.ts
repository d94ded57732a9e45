/** Telemetry of a made-up system, told in seconds before now, as OTLP/JSON export requests. */
import { randomBytes } from 'node:crypto';
import type { Json, JsonObject } from '../../model/json.ts';
import { send } from '../eval/rca.ts';

/** A service, with its replica as `name@node`. */
type Service = string;

export interface LogTold {
  /** Absent: INFO; null: the record tells none. */
  severity?: keyof typeof SEVERITY_NUMBERS | null;
  attributes?: JsonObject;
  trace?: string;
  span?: string;
  event?: string;
}

export interface SpanTold {
  trace: string;
  parent?: string;
  kind?: keyof typeof SPAN_KINDS;
  /** What its status says went wrong. */
  failed?: string | false;
  attributes?: JsonObject;
  /** Attributes of an exception that it recorded. */
  exception?: JsonObject | false;
}

export class OtlpStory {
  readonly #now = BigInt(Date.now()) * 1_000_000n;
  readonly #logs = new Map<Service, JsonObject[]>();
  readonly #spans = new Map<Service, JsonObject[]>();
  readonly #metrics = new Map<Service, JsonObject[]>();

  log(by: Service, seconds: number, body: Json, told: LogTold = {}): void {
    const { severity = 'INFO', attributes = {}, trace, span, event } = told;
    push(this.#logs, by, {
      timeUnixNano: this.#at(seconds),
      body: anyValue(body),
      attributes: keyValues(attributes),
      ...(severity !== null && { severityNumber: SEVERITY_NUMBERS[severity] }),
      ...(trace !== undefined && { traceId: trace }),
      ...(span !== undefined && { spanId: span }),
      ...(event !== undefined && { eventName: event }),
    });
  }

  /** @returns its id */
  span(by: Service, seconds: number, took: number, name: string, told: SpanTold): string {
    const { trace, parent, kind = 'server', failed = false, attributes = {}, exception = false } = told;
    const spanId = newId(8);
    push(this.#spans, by, {
      traceId: trace,
      spanId,
      ...(parent !== undefined && { parentSpanId: parent }),
      name,
      kind: SPAN_KINDS[kind],
      startTimeUnixNano: this.#at(seconds),
      endTimeUnixNano: this.#at(seconds + took),
      attributes: keyValues(attributes),
      ...(failed !== false && { status: { code: 2, message: failed } }),
      ...(exception !== false && {
        events: [{ timeUnixNano: this.#at(seconds + took * 0.9), name: 'exception', attributes: keyValues(exception) }],
      }),
    });
    return spanId;
  }

  gauge(by: Service, seconds: number, name: string, value: number, unit = '1', attributes: JsonObject = {}): void {
    const dataPoints = [{ timeUnixNano: this.#at(seconds), asDouble: value, attributes: keyValues(attributes) }];
    push(this.#metrics, by, { name, unit, gauge: { dataPoints } });
  }

  state(by: Service, seconds: number, operation: string, state: JsonObject): void {
    this.log(by, seconds, state, {
      event: 'debug.state.snapshot',
      attributes: { 'debug.operation_id': operation },
    });
  }

  /** Sends all that was told. */
  async sendTo(otlpHttp: string): Promise<void> {
    const all = (records: Map<Service, JsonObject[]>, resources: string, scopes: string, name: string) =>
      records.size === 0
        ? []
        : [
            JSON.stringify({
              [resources]: [...records].map(([by, list]) => ({
                resource: resourceOf(by),
                [scopes]: [{ [name]: list }],
              })),
            }),
          ];
    const requests = [
      ...all(this.#logs, 'resourceLogs', 'scopeLogs', 'logRecords'),
      ...all(this.#spans, 'resourceSpans', 'scopeSpans', 'spans'),
      ...all(this.#metrics, 'resourceMetrics', 'scopeMetrics', 'metrics'),
    ];
    for (const request of requests) await send(otlpHttp, request);
  }

  #at(seconds: number): string {
    return String(this.#now + BigInt(Math.round(seconds * 1e9)));
  }
}

export function newId(bytes: 8 | 16): string {
  return randomBytes(bytes).toString('hex');
}

const SEVERITY_NUMBERS = { DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17, FATAL: 21 };
const SPAN_KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };

function resourceOf(by: Service): JsonObject {
  const [name, node] = by.split('@') as [string, string?];
  return {
    attributes: keyValues({ 'service.name': name, ...(node !== undefined && { 'service.instance.id': node }) }),
  };
}

function keyValues(fields: JsonObject): JsonObject[] {
  return Object.entries(fields).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: Json): JsonObject {
  if (value === null) return {};
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  return { kvlistValue: { values: keyValues(value) } };
}

function push(lists: Map<Service, JsonObject[]>, by: Service, item: JsonObject): void {
  const list = lists.get(by);
  if (list === undefined) lists.set(by, [item]);
  else list.push(item);
}
