/** Records that are known by their number alone, and the senders that bring them in. */
import { createHash } from 'node:crypto';
import { Client, credentials, type Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Addresses } from '../../collector.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';

export type Way = 'json' | 'protobuf' | 'grpc';
export const WAYS: readonly Way[] = ['json', 'protobuf', 'grpc'];

/** What a request came to: acknowledged, refused with a hint when to come again, or nobody knows. */
export type Outcome = 'acknowledged' | 'refused' | 'unknown';

/** Even numbers are logs, odd ones spans: a request holds one kind. */
export const kindOf = (number: number): 'log' | 'span' => (number % 2 === 0 ? 'log' : 'span');
export const messageOf = (number: number): string => `record ${number} of the model`;
export const numberOf = (message: string): number => Number(/^record (\d+) of the model$/.exec(message)?.[1] ?? -1);

/** @param since nanoseconds; record n is of n microseconds later */
export function requestOf(numbers: readonly number[], since: bigint): { kind: 'log' | 'span'; json: Uint8Array } {
  const kind = kindOf(numbers[0]!);
  const records = numbers.map((number) => (kind === 'log' ? logOf(number, since) : spanOf(number, since)));
  const attributes = [{ key: 'service.name', value: { stringValue: 'shop' } }];
  const resource = { attributes };
  const request =
    kind === 'log'
      ? { resourceLogs: [{ resource, scopeLogs: [{ logRecords: records }] }] }
      : { resourceSpans: [{ resource, scopeSpans: [{ spans: records }] }] };
  return { kind, json: Buffer.from(JSON.stringify(request)) };
}

export interface Senders {
  /** @throws when the answer is one that no sender may be given: neither success nor a refusal that can be retried */
  send(way: Way, request: ReturnType<typeof requestOf>): Promise<Outcome>;
  stop(): void;
}

export function createSenders(addresses: Pick<Addresses, 'otlp_http' | 'otlp_grpc'>): Senders {
  const grpc = new Client(new URL(addresses.otlp_grpc!).host, credentials.createInsecure());
  return {
    send: (way, { kind, json }) =>
      way === 'grpc'
        ? sendGrpc(grpc, kind, jsonToProtobuf(kind, json))
        : sendHttp(addresses.otlp_http!, way, kind, json),
    stop: () => grpc.close(),
  };
}

const ANSWER_MS_MAX = 10_000;

async function sendHttp(url: string, way: Way, kind: 'log' | 'span', json: Uint8Array): Promise<Outcome> {
  const body = Buffer.from(way === 'json' ? json : jsonToProtobuf(kind, json));
  const headers = { 'content-type': way === 'json' ? 'application/json' : 'application/x-protobuf' };
  let response: Response;
  let answer: Buffer;
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    response = await fetch(`${url}/v1/${kind === 'log' ? 'logs' : 'traces'}`, {
      method: 'POST',
      headers,
      body,
      signal,
    });
    answer = Buffer.from(await response.arrayBuffer());
  } catch {
    return 'unknown';
  }
  const { status } = response;
  // Full success is an empty message: anything in it would say what was not kept.
  if (status === 200 && (way === 'json' ? String(answer) === '{}' : answer.length === 0)) return 'acknowledged';
  if ((status === 503 || status === 429) && Number(response.headers.get('retry-after')) > 0) return 'refused';
  throw new Error(`HTTP ${status} ${answer}`);
}

const METHODS = {
  log: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  span: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
};

function sendGrpc(client: Client, kind: 'log' | 'span', body: Uint8Array): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const bytes = (message: Buffer) => message;
    const done = (error: ServiceError | null, answer?: Buffer) => {
      if (error === null && answer?.length === 0) resolve('acknowledged');
      else if (error !== null && saysWhen(error.metadata)) resolve('refused');
      else if (error !== null && LOST.has(error.code)) resolve('unknown');
      else reject(new Error(`gRPC ${error ?? answer}`));
    };
    const deadline = Date.now() + ANSWER_MS_MAX;
    client.makeUnaryRequest(METHODS[kind], bytes, bytes, Buffer.from(body), { deadline }, done);
  });
}

/** CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL of a stream that broke, UNAVAILABLE: grpc-js says each when a server dies. */
const LOST = new Set([1, 2, 4, 13, 14]);

function saysWhen(metadata: Metadata | undefined): boolean {
  return (metadata?.get('google.rpc.retryinfo-bin').length ?? 0) > 0;
}

function logOf(number: number, since: bigint) {
  return {
    timeUnixNano: timeOf(number, since),
    severityNumber: 9,
    body: { stringValue: messageOf(number) },
    attributes: [{ key: 'filling', value: { stringValue: fillingOf(number) } }],
  };
}

function spanOf(number: number, since: bigint) {
  return {
    traceId: number.toString(16).padStart(32, 'a'),
    spanId: number.toString(16).padStart(16, 'b'),
    name: messageOf(number),
    kind: 2,
    startTimeUnixNano: timeOf(number, since),
    endTimeUnixNano: timeOf(number + 5000, since),
    attributes: [{ key: 'filling', value: { stringValue: fillingOf(number) } }],
  };
}

function timeOf(number: number, since: bigint): string {
  return String(since + BigInt(number) * 1000n);
}

/** From some tens of bytes to some thousands; now and then more, and nothing that compresses: the embedded store has a thread write what is large. */
function fillingOf(number: number): string {
  if (number % 17 === 0) return createHash('shake256', { outputLength: 24_000 }).update(`${number}`).digest('base64');
  return 'x'.repeat(40 + ((number * 7919) % 3000));
}
