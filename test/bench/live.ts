/**
 * `node test/bench/live.ts [--subscribers N --rate N --seconds N --json FILE]`: the live feed at scale. WebSockets with different filters
 * watch a system that takes in events at a rate and at half of it; one of them never reads. Measured from the acknowledgement of a
 * request until one of its events has come, in the client; and what the subscribers cost ingest, beside the same load without any.
 * The system is a process of its own on the embedded stores; the subscribers are a thread of this one. All share the machine's cores.
 */
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { ExportLogsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import { type Heard, startReaders } from './live-readers.ts';
import { COMPONENTS, ERROR_EVERY, NEEDLES } from './live-wishes.ts';
import { cpuSeconds, type SystemUnderLoad, startSystem } from './system.ts';
import { printTable } from './table.ts';

const RECORDS_PER_REQUEST = 50;
const GOAL_P95_MS = 100;

interface Load {
  requests: number;
  acknowledged: number;
  refused: number;
  ackMs: number[];
  /** By sequence of the request, milliseconds since 1970. */
  ackedAt: Float64Array;
  /** Of the system, a thousand events. */
  cpuMs: number;
}

interface Watched extends Heard {
  /** For the one that does not read, by the server's count. */
  dropped: number;
}

let sequence = 0;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      subscribers: { type: 'string', default: '1000' },
      rate: { type: 'string', default: '5000' },
      seconds: { type: 'string', default: '10' },
      json: { type: 'string' },
    },
  });
  const [subscribers, rate, seconds] = [values.subscribers, values.rate, values.seconds].map(Number) as [
    number,
    number,
    number,
  ];
  const system = await startSystem(null);
  try {
    await send(system, rate / 2, 3); // compiles
    const measured: [string, Load, Watched | null][] = [];
    for (const [name, at] of [
      ['half', rate / 2],
      ['full', rate],
    ] as const)
      measured.push([`${name} load, nobody listens`, await send(system, at, seconds), null]);
    const crowd = await startReaders(system.http, subscribers);
    for (const [name, at] of [
      ['half', rate / 2],
      ['full', rate],
    ] as const) {
      crowd.begin();
      const dropped = await system.metric('live_dropped_total');
      const load = await send(system, at, seconds);
      await sleep(1000);
      measured.push([
        `${name} load, ${subscribers} listen, one stuck`,
        load,
        {
          ...(await crowd.heard()),
          dropped: (await system.metric('live_dropped_total')) - dropped,
        },
      ]);
    }
    await crowd.stop();
    const rows = measured.map(([name, load, heard]) => ({
      name,
      load,
      heard,
      latency: heard && latencyOf(load, heard),
    }));
    printTable(
      `Live: ${subscribers} WebSockets with different filters, ${rate} events a second`,
      [
        'what',
        'events/s',
        'ack p50 ms',
        'ack p95 ms',
        'CPU ms / 1,000 events',
        'messages/s',
        'ack to message p50 ms',
        'p95',
        'p99',
        'goal (p95)',
        'dropped for the slow',
      ],
      rows.map(({ name, load, heard, latency }) => [
        name,
        load.acknowledged / seconds,
        quantile(load.ackMs, 0.5),
        quantile(load.ackMs, 0.95),
        load.cpuMs,
        heard === null ? null : heard.messages / seconds,
        ...(latency === null
          ? [null, null, null]
          : [quantile(latency, 0.5), quantile(latency, 0.95), quantile(latency, 0.99)]),
        name.startsWith('half') && heard !== null ? GOAL_P95_MS : null,
        heard?.dropped ?? null,
      ]),
    );
    const [, , half, full] = rows;
    const figures = (row: typeof half) => ({
      ack_p95_ms: quantile(row!.load.ackMs, 0.95),
      refused: row!.load.refused,
      messages_per_s: row!.heard!.messages / seconds,
      p95_ms: quantile(row!.latency!, 0.95),
    });
    const ack = (row: typeof half) => quantile(row!.load.ackMs, 0.5);
    const live = {
      half: figures(half),
      full: figures(full),
      ack_p50_ratio: ack(full) / ack(rows[1]!),
      cpu_ratio: full!.load.cpuMs / rows[1]!.load.cpuMs,
    };
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ live }, null, 2)}\n`);
  } finally {
    await system.stop();
  }
}

/** Log records over OTLP/HTTP at a rate. */
async function send({ otlpHttp, pid }: SystemUnderLoad, rate: number, seconds: number): Promise<Load> {
  const requests = Math.ceil((rate * seconds) / RECORDS_PER_REQUEST);
  const first = sequence;
  sequence += requests;
  const load: Load = {
    requests,
    acknowledged: 0,
    refused: 0,
    ackMs: [],
    ackedAt: new Float64Array(sequence),
    cpuMs: 0,
  };
  // Encoded before: the sender must not be what is measured.
  const bodies = Array.from({ length: requests }, (_, i) => requestOf(first + i));
  const cpuBefore = await cpuSeconds(pid);
  const beginMs = performance.now();
  const pending: Promise<void>[] = [];
  for (let i = 0; i < requests; i++) {
    const waitMs = beginMs + (i * RECORDS_PER_REQUEST * 1000) / rate - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    const number = first + i;
    const body = bodies[i]!;
    const sentMs = performance.now();
    pending.push(
      fetch(`${otlpHttp}/v1/logs`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body,
      }).then(async (response) => {
        await response.arrayBuffer();
        load.ackedAt[number] = performance.timeOrigin + performance.now();
        load.ackMs.push(performance.now() - sentMs);
        if (response.ok) load.acknowledged += RECORDS_PER_REQUEST;
        else load.refused += RECORDS_PER_REQUEST;
      }),
    );
  }
  await Promise.all(pending);
  load.cpuMs = (((await cpuSeconds(pid)) - cpuBefore) * 1e6) / load.acknowledged;
  return load;
}

function requestOf(number: number): Buffer {
  const now = BigInt(Date.now()) * 1_000_000n;
  const resourceLogs = Array.from({ length: 5 }, (_, r) => ({
    resource: { attributes: [text('service.name', `shop-${(number * 5 + r) % COMPONENTS}`)] },
    scopeLogs: [
      {
        logRecords: Array.from({ length: RECORDS_PER_REQUEST / 5 }, (_, i) => {
          const event = number * RECORDS_PER_REQUEST + r * 10 + i;
          const words = `request ${number} stored event ${event} with needle-${event % NEEDLES} from the upstream within 12 ms`;
          return {
            timeUnixNano: now + BigInt(r * 10 + i),
            severityNumber: event % ERROR_EVERY === 0 ? 17 : 9,
            body: { value: { case: 'stringValue', value: words } },
            attributes: [text('http.route', '/api/orders/{id}'), text('enduser.id', `user-${event % 977}`)],
          };
        }),
      },
    ],
  }));
  return Buffer.from(
    toBinary(ExportLogsServiceRequestSchema, create(ExportLogsServiceRequestSchema, { resourceLogs } as object)),
  );
}

function text(key: string, value: string) {
  return { key, value: { value: { case: 'stringValue', value } } };
}

function latencyOf({ ackedAt }: Load, { arrivals }: Heard): number[] {
  const latency: number[] = [];
  for (let i = 0; i < arrivals.length; i += 2) {
    const acked = ackedAt[arrivals[i]!] ?? 0;
    // A message may overtake the answer.
    if (acked > 0) latency.push(Math.max(0, arrivals[i + 1]! - acked));
  }
  return latency;
}

function quantile(values: number[], q: number): number {
  values.sort((a, b) => a - b);
  return values[Math.floor(q * (values.length - 1))] ?? Number.NaN;
}

await main();
