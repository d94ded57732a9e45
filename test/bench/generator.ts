/**
 * Sends OTLP/gRPC as fast as it is taken, or at a rate, and says what became of it. A process of its own, so that its work is not
 * mistaken for the receiver's: `node generator.ts <JSON of Load>` prints the JSON of Sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, compressionAlgorithms, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { createPayload, type PayloadSignal } from './payloads.ts';

export interface Load {
  /** host:port */
  address: string;
  /** Taken in turn. */
  signals: PayloadSignal[];
  /** Records to send in all; at a rate, how long that takes follows. */
  records: number;
  /** Ends after so long, whatever is left of them. */
  secondsMax?: number;
  recordsPerRequest: number;
  connections: number;
  /** Requests under way at once, over all connections; at a rate, as many as there are. */
  inFlight: number;
  /** Records a second; absent: as fast as they are taken. */
  rate?: number;
  gzip?: boolean;
  /** First of the sequence numbers of the requests: two loads with other ones have no record in common. */
  firstSequence: number;
  /** Of those that are refused with a hint: sends them again after it. Absent: counts them and goes on. */
  retry?: boolean;
  /** Absent: infinite. See `lastSlowMs`. */
  slowMs?: number;
}

export interface Sent {
  /** Milliseconds since 1970: of the first request, and of the last answer. */
  startMs: number;
  endMs: number;
  /** Records. */
  acknowledged: number;
  refused: number;
  /** Of refused requests by the name of their status. */
  refusals: Record<string, number>;
  ackMs: { p50: number; p95: number; p99: number; max: number };
  /** End of the last second in which something was refused or p95 was over `slowMs`; milliseconds since 1970, 0 if there was none. */
  lastSlowMs: number;
  cpuSeconds: number;
}

const EXPORT = {
  span: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  log: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};
const VARIANTS = 8;
const DEADLINE_MS = 30_000;
const RETRY_MS = 200;

async function run(load: Load): Promise<Sent> {
  const payloads = load.signals.map((signal) =>
    Array.from({ length: VARIANTS }, (_, variant) => createPayload(signal, variant, load.recordsPerRequest)),
  );
  const clients = Array.from({ length: load.connections }, () => clientOf(load));
  await Promise.all(clients.map((client) => ready(client)));
  const requests = Math.ceil(load.records / load.recordsPerRequest);
  const latencies: number[] = [];
  const refusals: Record<string, number> = {};
  let acknowledged = 0;
  let refused = 0;
  let next = 0;
  /** Milliseconds of each answer by the second in which it came; infinite for a refusal. */
  const bySecond = new Map<number, number[]>();

  async function send(dueMs?: number): Promise<void> {
    const number = next++;
    const payload = payloads[number % payloads.length]![Math.floor(number / payloads.length) % VARIANTS]!;
    const body = payload.stamped(load.firstSequence + number, BigInt(Date.now()) * 1_000_000n);
    const client = clients[number % clients.length]!;
    for (;;) {
      const sentMs = dueMs ?? performance.now();
      const error = await call(client, EXPORT[payload.signal], body);
      const tookMs = performance.now() - sentMs;
      const second = Math.floor(Date.now() / 1000);
      if (!bySecond.has(second)) bySecond.set(second, []);
      bySecond.get(second)!.push(error === null ? tookMs : Number.POSITIVE_INFINITY);
      if (error === null) {
        latencies.push(tookMs);
        acknowledged += payload.records;
        return;
      }
      const name = status[error.code] ?? String(error.code);
      refusals[name] = (refusals[name] ?? 0) + 1;
      if (!load.retry) {
        refused += payload.records;
        return;
      }
      await sleep(RETRY_MS);
    }
  }

  const startMs = Date.now();
  const cpu = process.cpuUsage();
  if (load.rate === undefined) {
    const untilMs = startMs + (load.secondsMax ?? Number.POSITIVE_INFINITY) * 1000;
    const worker = async () => {
      while (next < requests && Date.now() < untilMs) await send();
    };
    await Promise.all(Array.from({ length: load.inFlight }, worker));
  } else {
    const beginMs = performance.now();
    const pending: Promise<void>[] = [];
    for (let i = 0; i < requests; i++) {
      const dueMs = beginMs + (i * load.recordsPerRequest * 1000) / load.rate;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      // From when it should have gone: a stalled receiver must not delay the measure of itself. Timers are late by up to 1 ms.
      pending.push(send(Math.min(performance.now(), Math.max(dueMs, performance.now() - 1) + 1)));
    }
    await Promise.all(pending);
  }
  const { user, system } = process.cpuUsage(cpu);
  const endMs = Date.now();
  for (const client of clients) client.close();
  const at = quantiles(latencies);
  const slowSeconds = [...bySecond].filter(
    ([, all]) =>
      all.includes(Number.POSITIVE_INFINITY) || quantiles(all)(0.95) > (load.slowMs ?? Number.POSITIVE_INFINITY),
  );
  return {
    startMs,
    endMs,
    acknowledged,
    refused,
    refusals,
    ackMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) },
    lastSlowMs: slowSeconds.length === 0 ? 0 : (Math.max(...slowSeconds.map(([second]) => second)) + 1) * 1000,
    cpuSeconds: (user + system) / 1e6,
  };
}

function quantiles(values: number[]): (q: number) => number {
  values.sort((a, b) => a - b);
  return (q) => values[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN;
}

function clientOf({ address, gzip }: Load): Client {
  return new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc-node.flow_control_window': 4 << 20,
    'grpc.max_send_message_length': -1,
    ...(gzip && { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip }),
  });
}

function ready(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + DEADLINE_MS, (error) => (error ? reject(error) : resolve()));
  });
}

function call(client: Client, path: string, body: Buffer): Promise<ServiceError | null> {
  return new Promise((resolve) => {
    const deadline = Date.now() + DEADLINE_MS;
    client.makeUnaryRequest(path, asIs, asIs, body, { deadline }, (error) => resolve(error));
  });
}

const asIs = (bytes: Buffer) => bytes;

if (import.meta.main) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(process.argv[2]!)))}\n`);
}
