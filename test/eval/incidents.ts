/** Three incidents as their services would have exported them, OTLP/JSON, each a few minutes long and the same at every run. */
import type { Signal } from '../../model/block.ts';

export interface Incident {
  name: string;
  /** Export requests, in no order that matters. */
  bodies: { signal: Signal; body: object }[];
}

/** @param endMs of the incident, milliseconds since 1970: they are told as if they were just over */
export function incidents(endMs: number): Incident[] {
  return [databaseLost(endMs - 600_000), slowDependency(endMs - 400_000), replicasPart(endMs - 200_000)];
}

/** Orders go through three services until the inventory loses its database. */
function databaseLost(startMs: number): Incident {
  const told = new Telling('database lost', 1);
  for (let order = 1; order <= 120; order++) {
    const at = startMs + order * 1500;
    const broken = order > 70;
    const operation = told.operation(`order-${order}`, at);
    const front = operation.span('front', 'POST /orders', 0, broken ? 64 : 48, {
      fails: broken ? 'HTTP 500' : undefined,
    });
    front.log(1, 9, `order ${order} received`, { 'http.route': '/orders', 'user.id': `u-${order % 17}` });
    const orders = front.span('orders', 'place order', 4, broken ? 56 : 40, {
      fails: broken ? 'inventory unavailable' : undefined,
    });
    orders.log(2, 9, `reserving ${1 + (order % 3)} items`, { step: 'reserve' });
    const inventory = orders.span('inventory', 'reserve', 8, broken ? 30 : 20, {
      fails: broken ? 'connection refused' : undefined,
    });
    const query = inventory.span('inventory', 'SELECT stock', 10, broken ? 3 : 12, {
      kind: 3,
      fails: broken ? 'ECONNREFUSED' : undefined,
    });
    if (broken) {
      query.log(1, 21, 'connection to database lost: ECONNREFUSED 10.0.0.7:5432', {
        'db.system': 'postgresql',
        attempt: 1,
      });
      orders.log(40, 17, `could not reserve order ${order}: inventory answered 503`, {
        'http.response.status_code': 503,
      });
      front.log(60, 17, `order ${order} failed`, { 'http.response.status_code': 500 });
    } else front.log(45, 9, `order ${order} placed`, { 'http.response.status_code': 201 });
  }
  return told.incident();
}

/** A checkout whose pricing service becomes ten times slower with a new version; nothing fails. */
function slowDependency(startMs: number): Incident {
  const told = new Telling('slow dependency', 2);
  for (let i = 1; i <= 100; i++) {
    const slow = i > 55;
    const pricingMs = slow ? 900 + told.random(300) : 60 + told.random(30);
    const operation = told.operation(`checkout-${i}`, startMs + i * 1500);
    const version = slow ? '2.4.0' : '2.3.1';
    const checkout = operation.span('checkout', 'GET /checkout', 0, pricingMs + 60, {});
    checkout.log(1, 9, `cart ${i} checked out`, { 'cart.size': 1 + (i % 5) });
    const cart = checkout.span('cart', 'load cart', 5, 14, {});
    cart.log(2, 5, 'cart loaded from cache', { hit: true });
    const pricing = checkout.span('pricing', 'price items', 22, pricingMs, { attributes: { 'app.version': version } });
    pricing.span('pricing', 'load rules', 25, pricingMs - 20, { kind: 3, attributes: { 'app.version': version } });
    if (slow)
      pricing.log(200, 13, 'rules cache disabled, loading all 4812 rules', { 'app.version': version, rules: 4812 });
  }
  return told.incident();
}

/** Three replicas of a ledger apply transfers; one of them applies one twice and then refuses to settle. */
function replicasPart(startMs: number): Incident {
  const told = new Telling('replicas part', 3);
  const balance = [1000, 1000, 1000];
  for (let i = 1; i <= 60; i++) {
    const operation = told.operation(`transfer-${i}`, startMs + i * 2000);
    const gateway = operation.span('transfers', 'POST /transfer', 0, 35, {
      fails: i > 40 && i % 4 === 0 ? 'settlement refused' : undefined,
    });
    gateway.log(1, 9, `transfer ${i} of ${i % 9} accepted`, { amount: i % 9 });
    for (const node of [0, 1, 2]) {
      const twice = node === 1 && i === 38;
      balance[node]! += (i % 9) * (twice ? 2 : 1);
      const ledger = gateway.span('ledger', 'apply transfer', 5 + node, 12, { node: `ledger-${node + 1}` });
      if (twice) ledger.log(6, 13, `message transfer-${i} delivered again, applied`, { 'messaging.redelivered': true });
      ledger.snapshot(10, { balance: balance[node]!, last_transfer: `transfer-${i}` });
    }
    if (i > 40 && i % 4 === 0)
      gateway.log(30, 17, 'settlement refused: replicas disagree on the balance of account 7', { account: 7 });
  }
  return told.incident();
}

interface SpanMore {
  kind?: number;
  node?: string;
  fails?: string | undefined;
  attributes?: Record<string, string>;
}

/** Collects what happens under operations, by the service that says it. */
export class Telling {
  readonly #name: string;
  readonly #spans = new Map<string, object[]>();
  readonly #logs = new Map<string, object[]>();
  #seed: number;
  #ids = 0;

  constructor(name: string, seed: number) {
    this.#name = name;
    this.#seed = seed * 7919;
  }

  /** 0 to `below`, from a linear congruential generator (Park and Miller, 1988). */
  random(below: number): number {
    this.#seed = (this.#seed * 48271) % 2147483647;
    return Math.floor((this.#seed / 2147483647) * below);
  }

  operation(operation: string, atMs: number): Pick<Spoken, 'span'> {
    const trace = this.#id(32);
    return { span: (...args) => this.#spoken(trace, operation, atMs, '', ...args) };
  }

  incident(): Incident {
    const bodies: Incident['bodies'] = [];
    for (const [service, spans] of this.#spans)
      bodies.push({
        signal: 'span',
        body: { resourceSpans: [{ resource: resourceOf(service), scopeSpans: [{ scope: SCOPE, spans }] }] },
      });
    for (const [service, logRecords] of this.#logs)
      bodies.push({
        signal: 'log',
        body: { resourceLogs: [{ resource: resourceOf(service), scopeLogs: [{ scope: SCOPE, logRecords }] }] },
      });
    return { name: this.#name, bodies };
  }

  #spoken(
    traceId: string,
    operation: string,
    atMs: number,
    parentSpanId: string,
    service: string,
    name: string,
    offsetMs: number,
    tookMs: number,
    more: SpanMore,
  ): Spoken {
    const spanId = this.#id(16);
    const from = `${service}\0${more.node ?? `${service}-1`}`;
    const base = { correlation_id: operation, operation_id: operation };
    push(this.#spans, from, {
      traceId,
      spanId,
      ...(parentSpanId !== '' && { parentSpanId }),
      name,
      kind: more.kind ?? (parentSpanId === '' ? 2 : 1),
      startTimeUnixNano: nanos(atMs + offsetMs),
      endTimeUnixNano: nanos(atMs + offsetMs + tookMs),
      attributes: attributesOf({
        ...base,
        'code.function.name': name,
        'thread.id': 1 + this.random(8),
        ...more.attributes,
      }),
      status: more.fails === undefined ? {} : { code: 2, message: more.fails },
    });
    const record = (
      ms: number,
      severityNumber: number,
      body: object,
      data: Record<string, unknown>,
      eventName?: string,
    ) =>
      push(this.#logs, from, {
        timeUnixNano: nanos(atMs + offsetMs + ms),
        observedTimeUnixNano: nanos(atMs + offsetMs + ms),
        severityNumber,
        traceId,
        spanId,
        body,
        attributes: attributesOf({ ...base, ...data }),
        ...(eventName !== undefined && { eventName }),
      });
    return {
      log: (ms, severity, message, data) => record(ms, severity, { stringValue: message }, data),
      snapshot: (ms, state) =>
        record(
          ms,
          9,
          { kvlistValue: { values: attributesOf(state) } },
          { 'debug.checkpoint': 'applied' },
          'debug.state.snapshot',
        ),
      span: (...args) => this.#spoken(traceId, operation, atMs, spanId, ...args),
    };
  }

  #id(digits: number): string {
    this.#ids++;
    return (this.random(0x7fff_ffff).toString(16) + this.#ids.toString(16)).padStart(digits, 'c');
  }
}

interface Spoken {
  log(ms: number, severityNumber: number, message: string, data: Record<string, unknown>): void;
  snapshot(ms: number, state: Record<string, unknown>): void;
  span(service: string, name: string, offsetMs: number, tookMs: number, more: SpanMore): Spoken;
}

const SCOPE = { name: '@opentelemetry/instrumentation-http', version: '0.301.0' };

function resourceOf(from: string) {
  const [service, node] = from.split('\0');
  return {
    attributes: attributesOf({
      'service.name': service,
      'service.instance.id': node,
      'service.version': '1.8.2',
      'host.name': 'ip-10-0-0-12',
      'process.pid': 4711,
      'process.runtime.name': 'nodejs',
      'process.runtime.version': '26.10.0',
      'telemetry.sdk.language': 'nodejs',
      'telemetry.sdk.name': 'opentelemetry',
      'telemetry.sdk.version': '3.1.1',
    }),
  };
}

function attributesOf(data: Record<string, unknown>) {
  return Object.entries(data).map(([key, value]) => ({
    key,
    value:
      typeof value === 'number'
        ? { intValue: String(value) }
        : typeof value === 'boolean'
          ? { boolValue: value }
          : { stringValue: String(value) },
  }));
}

function nanos(ms: number): string {
  return `${Math.round(ms)}000000`;
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
