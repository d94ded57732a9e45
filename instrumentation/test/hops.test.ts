import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ArrivedSpan, type FarEnd, startFarEnd } from './far-end.ts';
import { type Ended, ensureBuilt, type Running, startApp } from './run-app.ts';

const SERVER = 2;
const CLIENT = 3;

let farEnd: FarEnd;
let apps: Running[] = [];

beforeAll(ensureBuilt);

afterEach(async () => {
  for (const app of apps) app.process.kill('SIGKILL');
  await Promise.all(apps.map((app) => app.ended));
  apps = [];
  await farEnd.close();
});

describe('over two HTTP hops, ESM then CommonJS', () => {
  it('carries the operation and an x-correlation-id to every service, span, log and snapshot', async () => {
    const { url } = await httpChain();
    const answer = await get(url, { 'x-correlation-id': 'ticket-42' });
    await stop();

    expect(answer).toEqual({
      correlation: 'ticket-42',
      operation: 'order-7',
      reply: {
        correlation: 'ticket-42',
        operation: 'order-7',
        reply: { correlation: 'ticket-42', operation: 'order-7', reply: null },
      },
    });
    expect(farEnd.spans.length).toBeGreaterThan(0);
    for (const { name, resource, attributes } of farEnd.spans) {
      expect({ name, resource: resource['service.name'], ...ids(attributes) }).toMatchObject({
        correlation: 'ticket-42',
        operation: 'order-7',
      });
    }
    const logs = farEnd.logs.filter(({ traceId }) => traceId !== '');
    expect(logs.map(({ resource, body }) => [resource['service.name'], body])).toEqual(
      expect.arrayContaining([
        ['front', 'front got /'],
        ['orders', 'order received'],
        ['orders', 'stock is low'],
      ]),
    );
    for (const { attributes } of logs) expect(ids(attributes).correlation).toBe('ticket-42');
    const snapshot = farEnd.logs.find(({ eventName }) => eventName === 'debug.state.snapshot')!;
    expect(ids(snapshot.attributes)).toEqual({ correlation: 'ticket-42', operation: 'order-7' });
  });

  it('makes one trace of server and client spans, each the child of its caller', async () => {
    const { url } = await httpChain();
    await get(url);
    await stop();

    const names = (span: ArrivedSpan): string => `${span.resource['service.name']} ${span.kind} ${span.name}`;
    const chain = [];
    let parent = '';
    for (let span = childOf(parent); span; span = childOf(parent)) {
      chain.push(names(span));
      parent = span.spanId;
    }
    expect(chain).toEqual([
      `front ${SERVER} GET`,
      `front ${CLIENT} GET`,
      `orders ${SERVER} GET`,
      `orders ${CLIENT} GET`,
      `orders ${SERVER} GET`,
    ]);
    expect(new Set(farEnd.spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(farEnd.spans).toHaveLength(5);
  });

  it('derives the correlation id from the trace where none is given, the same at every hop', async () => {
    const { url } = await httpChain();
    const answer = await get(url);
    await stop();

    const { traceId } = farEnd.spans[0]!;
    expect(answer.correlation).toBe(traceId);
    expect(answer.reply.reply.correlation).toBe(traceId);
    for (const { attributes } of farEnd.spans) expect(ids(attributes).correlation).toBe(traceId);
  });

  it('takes the ids of a caller that sends baggage, and records nothing else of it', async () => {
    const { url } = await httpChain();
    const baggage = 'debug.correlation_id=from-baggage,debug.operation_id=theirs,user.email=a%40b.c';
    const answer = await get(url, { baggage, 'x-correlation-id': 'not-this' });
    await stop();

    expect(answer.correlation).toBe('from-baggage');
    const everything = JSON.stringify([farEnd.spans, farEnd.logs]);
    expect(everything).toContain('theirs');
    expect(everything).not.toContain('a@b.c');
  });

  it('ignores a correlation id of unreasonable length', async () => {
    const { url } = await httpChain();
    const answer = await get(url, { 'x-correlation-id': 'x'.repeat(257) });
    await stop();
    expect(answer.correlation).toBe(farEnd.spans[0]!.traceId);
  });
});

describe('over HTTP in and gRPC out', () => {
  it('carries both ids, and names the spans of both sides', async () => {
    farEnd = await startFarEnd();
    const server = start('rpc-server.cjs');
    const client = start('rpc-client.mjs', await server.line('port '));
    const url = `http://127.0.0.1:${await client.line('port ')}`;
    const answer = await get(url, { 'x-correlation-id': 'rpc-1', baggage: 'debug.operation_id=reserve-9' });
    await stop();

    expect(answer).toEqual({ correlation: 'rpc-1', operation: 'reserve-9' });
    const grpc = farEnd.spans.filter(({ name }) => name.includes('stock.Stock/Reserve'));
    expect(grpc.map(({ kind }) => kind).sort()).toEqual([SERVER, CLIENT]);
    for (const { attributes } of farEnd.spans)
      expect(ids(attributes)).toEqual({ correlation: 'rpc-1', operation: 'reserve-9' });
    const log = farEnd.logs.find(({ body }) => body === 'reserving')!;
    expect(log.spanId).toBe(grpc.find(({ kind }) => kind === SERVER)!.spanId);
    expect(ids(log.attributes)).toEqual({ correlation: 'rpc-1', operation: 'reserve-9' });
  });
});

/** front.mjs → orders.cjs → orders.cjs */
async function httpChain(): Promise<{ url: string }> {
  farEnd = await startFarEnd();
  const last = start('orders.cjs');
  const middle = start('orders.cjs', `http://127.0.0.1:${await last.line('port ')}`);
  const front = start('front.mjs', `http://127.0.0.1:${await middle.line('port ')}`);
  return { url: `http://127.0.0.1:${await front.line('port ')}/` };
}

function start(app: string, ...args: string[]): Running {
  const running = startApp(app, farEnd.url, { args });
  apps.push(running);
  return running;
}

/** Ends the apps as a deployment would; what they had not sent yet comes while they end. */
async function stop(): Promise<Ended[]> {
  for (const app of apps) app.process.kill('SIGTERM');
  const ended = await Promise.all(apps.map((app) => app.ended));
  for (const { code, stderr } of ended) expect({ code, stderr }).toMatchObject({ code: 0 });
  return ended;
}

// biome-ignore lint/suspicious/noExplicitAny: the apps' own little protocol
async function get(url: string, headers: Record<string, string> = {}): Promise<any> {
  return (await fetch(url, { headers: { connection: 'close', ...headers } })).json();
}

function childOf(parentSpanId: string): ArrivedSpan | undefined {
  return farEnd.spans.find((span) => span.parentSpanId === parentSpanId);
}

function ids(attributes: Record<string, unknown>): { correlation: unknown; operation: unknown } {
  return { correlation: attributes['debug.correlation_id'], operation: attributes['debug.operation_id'] };
}
