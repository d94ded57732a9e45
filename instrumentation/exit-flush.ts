import { Worker } from 'node:worker_threads';
import type { LastRequest, Pipeline } from './pipeline.ts';

/** The longest that an exiting process waits for its last telemetry: a receiver that hangs costs this much, once. */
const EXIT_FLUSH_TIMEOUT_MS = 2000;

/**
 * Sends what is unconfirmed when the process ends, whichever way: the work is done, `process.exit()`, an uncaught
 * exception, SIGTERM or SIGINT. Synchronous on purpose: to flush asynchronously would mean to take over the exit, with
 * its code, its message on stderr and its order, and the app would go on running after a fatal error. So the exit is
 * Node's own and only takes a little longer.
 *
 * What the receiver does not take then is left on the disk for the next process. A batch that is on its way at that moment is
 * sent twice; the receiver stores a record once, however often it comes.
 */
export function flushOnExit(pipeline: Pick<Pipeline, 'collectMetrics' | 'takeUnconfirmed'>): void {
  const flush = (): void => {
    try {
      for (const request of postSync(pipeline.takeUnconfirmed(), EXIT_FLUSH_TIMEOUT_MS)) request.keep();
    } catch {}
  };
  // Resolves without the event loop, so the loop stays empty and 'exit' follows.
  process.on('beforeExit', () => void pipeline.collectMetrics().catch(() => {}));
  process.on('exit', flush);
  flushOnSignal('SIGTERM', flush);
  flushOnSignal('SIGINT', flush);
}

/**
 * A signal that nobody handles ends the process without 'exit', and a listener of ours would change that. So it flushes,
 * steps aside, and where nobody else listens lets the same signal end the process as it would have.
 *
 * Where others listen, the signal is theirs, and what they still say leaves with 'exit'. We are off the list while they
 * decide, because libraries (signal-exit and its many users) end the process only if they see themselves alone there.
 */
function flushOnSignal(signal: 'SIGTERM' | 'SIGINT', flush: () => void): void {
  const onSignal = (): void => {
    flush();
    process.removeListener(signal, onSignal);
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    else setImmediate(() => process.prependListener(signal, onSignal)).unref();
  };
  process.prependListener(signal, onSignal);
}

/**
 * Posts all requests at once from another thread and blocks this one until they are answered or the time is up.
 *
 * @returns those that the receiver has not taken and may take later
 */
function postSync(requests: LastRequest[], timeoutMs: number): LastRequest[] {
  if (requests.length === 0) return [];
  const state = new Int32Array(new SharedArrayBuffer(4 * (requests.length + 1)));
  // No inherited flags or NODE_OPTIONS: the thread must not instrument itself.
  const worker = new Worker(`(${postAll})()`, {
    eval: true,
    execArgv: [],
    env: {},
    workerData: {
      requests: requests.map(({ url, headers, tls, body }) => ({ url, headers, tls, body })),
      state,
      timeoutMs,
    },
  });
  worker.unref();
  worker.on('error', () => {});
  Atomics.wait(state, 0, 0, timeoutMs);
  return requests.filter((_, i) => Atomics.load(state, i + 1) === 0);
}

/**
 * Runs in the thread, as text: nothing of this module is in its scope, `require` neither (a bundler renames it). Sets `state[i + 1]`
 * when request i needs no other attempt, and `state[0]` when all have their answer.
 */
function postAll(): void {
  const { workerData } = process.getBuiltinModule('node:worker_threads');
  const { requests, state, timeoutMs } = workerData as {
    requests: Omit<LastRequest, 'keep'>[];
    state: Int32Array;
    timeoutMs: number;
  };
  const posts = requests.map(async ({ url, headers, tls, body }, i) => {
    const { request } = process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http');
    await new Promise<void>((settle) => {
      const post = request(url, { method: 'POST', headers: { ...headers, 'content-length': body.length }, ...tls });
      post.setTimeout(timeoutMs, settle);
      post.on('error', settle);
      post.on('response', (response) => {
        if (![429, 502, 503, 504].includes(response.statusCode!)) Atomics.store(state, i + 1, 1);
        response.on('close', settle).resume();
      });
      post.end(body);
    });
  });
  void Promise.allSettled(posts).then(() => {
    Atomics.store(state, 0, 1);
    Atomics.notify(state, 0);
  });
}
