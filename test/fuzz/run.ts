/** One run after another of the grammar, its mutations and the properties; the first that does not hold ends it, with what repeats it. */
import { Agent, request as httpRequest, type RequestOptions } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { DECODE_ERROR_KEY } from '../../otlp/read.ts';
import type { Encoding } from '../../receiver/export.ts';
import { SIGNAL_PATHS } from '../support/otlp-requests.ts';
import { startReceiver, type TestReceiver } from '../support/receiver.ts';
import { drawRequest } from './grammar.ts';
import { mutateJson, mutateProtobuf } from './mutate.ts';
import { Broken, checkJson, checkValid, take } from './properties.ts';
import { Random } from './random.ts';

export interface FuzzReport {
  seed: number;
  runs: number;
  inputs: number;
  /** Inputs that were refused as malformed. */
  refused: number;
  events: number;
  /** Accepted records of which a part is broken where nobody looked before they are read. */
  undecodable: number;
  /** Requests over sockets, and how they were answered. */
  sent: Record<string, number>;
  /** The most CPU time that one input took, from its bytes to the events read back: what it holds the event loop for. */
  inputMsMax: number;
  /** The longest delay of the loop while requests came over sockets, client and receiver in one process; also for want of a CPU. */
  loopMsMax: number;
}

export interface FuzzOptions {
  seed: number;
  /** Ends at whichever comes first. */
  runs: number;
  seconds: number;
  /** Every so many runs, one goes over a real socket. */
  socketEvery: number;
  progress?: (report: FuzzReport) => void;
}

const PROTOBUF_MUTANTS = 6;
const JSON_MUTANTS = 4;

/** @throws Error that names the seed which repeats it, when a property does not hold */
export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { seed } = options;
  const report: FuzzReport = {
    seed,
    runs: 0,
    inputs: 0,
    refused: 0,
    events: 0,
    undecodable: 0,
    sent: {},
    inputMsMax: 0,
    loopMsMax: 0,
  };
  const receiver = await startReceiver();
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const endMs = performance.now() + options.seconds * 1000;
  try {
    for (; report.runs < options.runs && performance.now() < endMs; report.runs++) {
      const runSeed = (seed + report.runs) >>> 0;
      const random = new Random(runSeed);
      try {
        const bodies = runOnce(random, report);
        if (report.runs % options.socketEvery === 0) {
          delay.reset();
          delay.enable();
          await Promise.all(bodies.map((body) => sendOnce(receiver, agent, body, random, report)));
          await turn();
          delay.disable();
          report.loopMsMax = Math.max(report.loopMsMax, delay.max / 1e6);
          await drain(receiver);
        }
      } catch (error) {
        throw new Error(`seed ${runSeed}: ${(error as Error).message}\n  npm run fuzz -- --seed ${runSeed} --runs 1`, {
          cause: error,
        });
      }
      if (report.runs % 1000 === 999) {
        options.progress?.(report);
        await turn();
      }
    }
  } finally {
    agent.destroy();
    await receiver.stop();
  }
  return report;
}

interface Body {
  signal: keyof typeof SIGNAL_PATHS;
  encoding: Encoding;
  bytes: Uint8Array;
}

function runOnce(random: Random, report: FuzzReport): Body[] {
  const request = drawRequest(random);
  const { signal } = request;
  const timed = <T>(inputs: number, trip: () => T): T => {
    report.inputs += inputs;
    const before = process.threadCpuUsage();
    const result = trip();
    const { user, system } = process.threadCpuUsage(before);
    report.inputMsMax = Math.max(report.inputMsMax, (user + system) / 1000 / inputs);
    return result;
  };
  const note = (taken: ReturnType<typeof take>) => {
    if (taken === null) report.refused++;
    else {
      report.events += taken.events.length;
      report.undecodable += taken.events.filter(({ data }) => DECODE_ERROR_KEY in data).length;
    }
  };
  note(timed(3, () => checkValid(request)));
  const json = new TextEncoder().encode(request.json);
  const bodies: Body[] = [
    { signal, encoding: 'protobuf', bytes: request.protobuf },
    { signal, encoding: 'json', bytes: json },
  ];
  for (let i = 0; i < PROTOBUF_MUTANTS; i++) {
    const bytes = mutateProtobuf(request.protobuf, random);
    note(timed(1, () => take(signal, 'protobuf', bytes)));
    if (i === 0) bodies.push({ signal, encoding: 'protobuf', bytes });
  }
  for (let i = 0; i < JSON_MUTANTS; i++) {
    const bytes = mutateJson(request.json, random);
    timed(1, () => checkJson(signal, bytes));
    note(timed(1, () => take(signal, 'json', bytes)));
    if (i === 0) bodies.push({ signal, encoding: 'json', bytes });
  }
  return bodies;
}

/** Over a real socket, compressed or torn now and then: the answer is 200 or the sender's mistake, and the connection lives. */
async function sendOnce(
  receiver: TestReceiver,
  agent: Agent,
  { signal, encoding, bytes }: Body,
  random: Random,
  report: FuzzReport,
): Promise<void> {
  const compression = random.of([null, null, 'gzip', 'zstd'] as const);
  const compressed =
    compression === 'gzip' ? gzipSync(bytes) : compression === 'zstd' ? zstdCompressSync(bytes) : bytes;
  const torn =
    compression !== null && random.once(4) ? compressed.subarray(0, random.below(compressed.length)) : compressed;
  const type = encoding === 'json' ? 'application/json' : 'application/x-protobuf';
  const headers = { 'content-type': type, ...(compression !== null && { 'content-encoding': compression }) };
  const answer = await post({ agent, headers, method: 'POST' }, receiver.http + SIGNAL_PATHS[signal], torn);
  if (answer.status !== 200 && answer.status !== 400) throw new Broken(`answered ${answer.status}`);
  if (answer.type !== type) throw new Broken(`${type} answered in ${answer.type}`);
  report.inputs++;
  report.sent[answer.status] = (report.sent[answer.status] ?? 0) + 1;
}

function post(
  options: RequestOptions,
  url: string,
  body: Uint8Array,
): Promise<{ status: number; type: string | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, options, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode!, type: response.headers['content-type'] }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Frees the journal of what was sent: it is bounded. */
async function drain(receiver: TestReceiver): Promise<void> {
  const last = (await receiver.journalled()).at(-1);
  if (last !== undefined) await receiver.journal.release(last.position);
}
