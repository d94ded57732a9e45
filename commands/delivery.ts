/** Sends export bodies to an OTLP/HTTP endpoint until each has an answer that is final. */
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { Signal } from '../model/block.ts';
import { UnreachableError } from './command.ts';

export interface Delivery {
  /** Records of the body that the endpoint did not take. */
  rejected: number;
  /** Its words; empty when all was taken. */
  reason: string;
  /** Attempts beyond the first. */
  retries: number;
}

export interface DeliveryOptions {
  /** `http://host:port`, without `/v1/…`. */
  endpoint: string;
  headers: Record<string, string>;
  signal: AbortSignal;
  /** How long one body is tried again before its endpoint counts as away. */
  retryForMs: number;
}

/**
 * Posts one body as gzipped JSON. 429, 502, 503, 504 and a connection that breaks are tried again, after Retry-After where
 * the endpoint says it, else with a backoff that doubles; every other refusal is final.
 *
 * @throws UnreachableError when it is still refused, or nobody answers, after `retryForMs`
 */
export async function deliver(
  signal: Signal,
  body: string,
  records: number,
  { endpoint, headers, signal: abort, retryForMs }: DeliveryOptions,
): Promise<Delivery> {
  // Level 1: a replay is bound by the CPU of both ends long before the loopback.
  const compressed = await compress(body, { level: constants.Z_BEST_SPEED });
  const deadline = performance.now() + retryForMs;
  for (let retries = 0; ; retries++) {
    const response = await fetch(endpoint + PATHS[signal], {
      method: 'POST',
      body: compressed,
      headers: { ...headers, 'content-type': 'application/json', 'content-encoding': 'gzip' },
      signal: AbortSignal.any([abort, AbortSignal.timeout(ATTEMPT_MS)]),
    }).catch((error: Error) => {
      abort.throwIfAborted();
      return error;
    });
    if (response instanceof Response && !RETRYABLE.has(response.status)) {
      return { ...(await answer(response, records)), retries };
    }
    const waitMs = Math.max(retryAfterMs(response), Math.min(100 * 2 ** retries, 5_000) * (0.5 + Math.random() / 2));
    if (performance.now() + waitMs > deadline) throw new UnreachableError(`${endpoint} ${trouble(response)}`);
    if (response instanceof Response) await response.body?.cancel();
    await sleep(waitMs, undefined, { signal: abort });
  }
}

const compress = promisify(gzip);

const PATHS: Record<Signal, string> = { log: '/v1/logs', span: '/v1/traces', metric: '/v1/metrics' };
/** OTLP 1.11, "Retryable Response Codes". */
const RETRYABLE = new Set([429, 502, 503, 504]);
/** The OTLP exporters' default is 10 s; a server that catches up with its disk may take longer. */
const ATTEMPT_MS = 30_000;

async function answer(response: Response, records: number): Promise<{ rejected: number; reason: string }> {
  const text = await response.text();
  const said = parse(text);
  if (!response.ok) {
    return { rejected: records, reason: `HTTP ${response.status} ${said.message ?? text.slice(0, 200)}`.trim() };
  }
  const { errorMessage = '', ...counts } = said.partialSuccess ?? {};
  // rejectedLogRecords, rejectedSpans or rejectedDataPoints; an int64, so a string.
  return { rejected: Object.values(counts).reduce((sum, value) => sum + Number(value), 0), reason: errorMessage };
}

function parse(text: string): {
  message?: string;
  partialSuccess?: { errorMessage?: string } & Record<string, string>;
} {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** Seconds or a date; 0 where the endpoint says nothing. */
function retryAfterMs(response: Response | Error): number {
  const header = response instanceof Response ? response.headers.get('retry-after') : null;
  if (header === null) return 0;
  const seconds = Number(header);
  return Math.max(0, Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000) || 0;
}

function trouble(response: Response | Error): string {
  if (response instanceof Response) return `keeps answering HTTP ${response.status}`;
  const cause = response.cause as NodeJS.ErrnoException | undefined;
  return `does not answer: ${cause?.code ?? cause?.message ?? response.message}`;
}
