/**
 * Sends OTLP/gRPC as fast as it is taken, or at a rate, and says what became of it. A process of its own, so that its work is not
 * mistaken for the receiver's: `node generator.ts <JSON of Load>` prints the JSON of Sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openGrpcConnection, PREFIX_BYTES } from './grpc-connection.ts';
import { createPayload, type Payload, type PayloadSignal } from './payloads.ts';

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
const RETRY_MS = 200;

async function run(load: Load): Promise<Sent> {
  const payloads = load.signals.map((signal) =>
    Array.from({ length: VARIANTS }, (_, variant) => createPayload(signal, variant, load.recordsPerRequest)),
  );
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () =>
      openGrpcConnection(load.address, { compressed: load.gzip ?? false }),
    ),
  );
  const framedRequests = new FramedRequests();
  const requests = Math.ceil(load.records / load.recordsPerRequest);
  const latencies: number[] = [];
  const refusals: Record<string, number> = {};
  let acknowledged = 0;
  let refused = 0;
  let next = 0;
  /** Milliseconds of each answer by the second in which it came; infinite for a refusal. */
  const bySecond = new Map<number, number[]>();

  function prepared() {
    const number = next++;
    const payload = payloads[number % payloads.length]![Math.floor(number / payloads.length) % VARIANTS]!;
    const framed = framedRequests.take(payload);
    payload.stamp(framed.subarray(PREFIX_BYTES), load.firstSequence + number, BigInt(Date.now()) * 1_000_000n);
    return { payload, framed, connection: connections[number % connections.length]! };
  }

  async function send({ payload, framed, connection }: ReturnType<typeof prepared>, sentMs: number): Promise<void> {
    for (;;) {
      const name = await connection.call(EXPORT[payload.signal], framed);
      const isTaken = name === 'OK';
      const tookMs = performance.now() - sentMs;
      const second = Math.floor(Date.now() / 1000);
      if (!bySecond.has(second)) bySecond.set(second, []);
      bySecond.get(second)!.push(isTaken ? tookMs : Number.POSITIVE_INFINITY);
      if (isTaken) {
        latencies.push(tookMs);
        acknowledged += payload.records;
        framedRequests.giveBack(payload, framed);
        return;
      }
      refusals[name] = (refusals[name] ?? 0) + 1;
      if (!load.retry) {
        refused += payload.records;
        framedRequests.giveBack(payload, framed);
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
      while (next < requests && Date.now() < untilMs) await send(prepared(), performance.now());
    };
    await Promise.all(Array.from({ length: load.inFlight }, worker));
  } else {
    const beginMs = performance.now();
    const pending: Promise<void>[] = [];
    for (let i = 0; i < requests; i++) {
      const dueMs = beginMs + (i * load.recordsPerRequest * 1000) / load.rate;
      // Before it is due, as the work of an exporter is none of the receiver's; and counted from when it is due, also where the machine had no CPU for
      // the generator: what stands still must not delay the measure of itself. Timers are late by up to 1 ms.
      const request = prepared();
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      pending.push(send(request, Math.min(performance.now(), dueMs + 1)));
    }
    await Promise.all(pending);
  }
  const { user, system } = process.cpuUsage(cpu);
  const endMs = Date.now();
  for (const connection of connections) connection.close();
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

/** Copies of each payload behind room for gRPC's prefix, used again once they are answered: copying took as long as stamping does. */
class FramedRequests {
  readonly #free = new Map<Payload, Buffer[]>();

  take(payload: Payload): Buffer {
    return this.#free.get(payload)?.pop() ?? Buffer.concat([Buffer.alloc(PREFIX_BYTES), payload.bytes]);
  }

  giveBack(payload: Payload, framed: Buffer): void {
    const free = this.#free.get(payload);
    if (free === undefined) this.#free.set(payload, [framed]);
    else free.push(framed);
  }
}

if (import.meta.main) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(process.argv[2]!)))}\n`);
}
