/** Who asks or sends more than may be is told so over every protocol, with when to come again, and is counted. */
import { create, fromBinary } from '@bufbuild/protobuf';
import { AnySchema, anyUnpack, durationMs } from '@bufbuild/protobuf/wkt';
import { Client, status as codes, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { RetryInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { type Status, StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { startCollector, type TestCollector } from '../support/collector.ts';
import { createClient } from '../support/grpc-client.ts';
import { requestProtobuf } from '../support/otlp-requests.ts';

/** REST, MCP, WebSocket and gRPC share what a token may ask: one question over REST, and all of them owe. */
let system: TestCollector;

beforeAll(async () => {
  // Whoever has asked once owes for ten seconds.
  system = await startCollector({ 'requests-per-second': '0.1', 'tenant-records-per-second': '0.1' });
  expect((await fetch(`${system.http}/api/debug/sessions`)).status).toBe(200);
  expect((await sendHttp()).status).toBe(200);
});
afterAll(() => system.stop());

interface Refusal {
  status: number;
  retrySeconds: number;
  message: string;
}

const sendHttp = () =>
  fetch(`${system.otlpHttp}/v1/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: requestProtobuf('log') as Uint8Array<ArrayBuffer>,
  });

async function ofHttp(response: Response): Promise<Refusal> {
  const type = response.headers.get('content-type');
  const message =
    type === 'application/x-protobuf'
      ? fromBinary(StatusSchema, new Uint8Array(await response.arrayBuffer())).message
      : ((await response.json()) as { detail: string }).detail;
  return { status: response.status, retrySeconds: Number(response.headers.get('retry-after')), message };
}

async function ofGrpc(failing: Promise<unknown>): Promise<Refusal> {
  const error = await failing.then(
    () => {
      throw new Error('it was answered');
    },
    (error: ServiceError) => error,
  );
  const { details } = fromBinary(StatusSchema, error.metadata.get('grpc-status-details-bin')[0] as Buffer);
  return { status: error.code, retrySeconds: retryOf(details), message: error.details };
}

function retryOf(details: Status['details']): number {
  const info = details.map((any) => anyUnpack(create(AnySchema, any), RetryInfoSchema)).find((each) => each);
  return info?.retryDelay === undefined ? 0 : durationMs(info.retryDelay) / 1000;
}

const ASKS: [protocol: string, status: number, metric: RegExp, ask: () => Promise<Refusal>][] = [
  [
    'REST',
    429,
    /questions_refused_total\{protocol="rest"\} [1-9]/,
    async () => ofHttp(await fetch(`${system.http}/api/debug/sessions`)),
  ],
  [
    'a followed list',
    429,
    /questions_refused_total\{protocol="rest"\} [1-9]/,
    async () => ofHttp(await fetch(`${system.http}/api/debug/events?follow=true`)),
  ],
  [
    'MCP',
    429,
    /questions_refused_total\{protocol="mcp"\} [1-9]/,
    async () =>
      ofHttp(
        await fetch(`${system.http}/mcp`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
        }),
      ),
  ],
  ['WebSocket', 429, /questions_refused_total\{protocol="websocket"\} [1-9]/, upgrade],
  [
    'DebugQuery over gRPC',
    codes.RESOURCE_EXHAUSTED,
    /questions_refused_total\{protocol="grpc"\} [1-9]/,
    () => viaGrpc((client) => client.unary('queryInsights', {}, new Metadata())),
  ],
  [
    'a stream over gRPC',
    codes.RESOURCE_EXHAUSTED,
    /questions_refused_total\{protocol="grpc"\} [1-9]/,
    () => viaGrpc(async (client) => Promise.reject(await client.failureOf(client.stream('tail', {}, new Metadata())))),
  ],
  ['OTLP over HTTP', 429, /receiver_refused_total\{reason="tenant_rate"\} [1-9]/, async () => ofHttp(await sendHttp())],
  [
    'OTLP over gRPC',
    codes.RESOURCE_EXHAUSTED,
    /receiver_refused_total\{reason="tenant_rate"\} [1-9]/,
    async () => {
      const client = new Client(system.otlpGrpc, credentials.createInsecure());
      const path = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
      const same = (bytes: Buffer) => bytes;
      const sending = new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, same, same, Buffer.from(requestProtobuf('log')), (error, answer) =>
          error === null ? resolve(answer) : reject(error),
        );
      });
      return ofGrpc(sending).finally(() => client.close());
    },
  ],
];

async function viaGrpc(ask: (client: ReturnType<typeof createClient>) => Promise<unknown>): Promise<Refusal> {
  const client = createClient(Number(system.grpc.split(':')[1]));
  return ofGrpc(ask(client)).finally(() => client.close());
}

function upgrade(): Promise<Refusal> {
  const socket = new WebSocket(`${system.http.replace('http', 'ws')}/ws/debug`);
  return new Promise((resolve, reject) => {
    socket.once('open', () => reject(new Error('it was let in')));
    socket.once('unexpected-response', (_, response) => {
      let text = '';
      response.on('data', (bytes) => {
        text += bytes;
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          retrySeconds: Number(response.headers['retry-after']),
          message: JSON.parse(text).detail,
        }),
      );
    });
  });
}

describe('over its rate', () => {
  test.each(ASKS)('%s says so, when to come again, and counts it', async (_, status, metric, ask) => {
    const refusal = await ask();
    expect(refusal.status).toBe(status);
    expect(refusal.retrySeconds).toBeGreaterThanOrEqual(1);
    expect(refusal.retrySeconds).toBeLessThanOrEqual(10);
    expect(refusal.message).toMatch(/questions a second|more than it may/);
    const metrics = await fetch(`${system.http}/metrics`);
    expect(metrics.status).toBe(200);
    expect(await metrics.text()).toMatch(metric);
  });
});
