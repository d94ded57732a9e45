/** The readers of the live benches: many WebSockets in a thread of their own, of which the first never reads. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { WebSocket } from 'ws';
import { wishOf } from './live-wishes.ts';

export interface Readers {
  /** Forgets what was heard so far. */
  begin(): void;
  heard(): Promise<Heard>;
  stop(): Promise<number>;
}

export interface Heard {
  messages: number;
  /** Sequence of the request and when its event came, in turn. */
  arrivals: Float64Array;
}

/** Resolves when all of them are subscribed. @param url of the query service */
export async function startReaders(url: string, subscribers: number): Promise<Readers> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { url, subscribers } });
  const next = () =>
    new Promise<never>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  await next();
  return {
    begin: () => worker.postMessage('begin'),
    heard() {
      worker.postMessage('heard');
      return next();
    },
    stop: () => worker.terminate(),
  };
}

/** The thread. */
async function read(url: string, subscribers: number): Promise<void> {
  let heard = { messages: 0, arrivals: [] as number[] };
  const open = Array.from({ length: subscribers }, (_, i) => subscribe(i));
  await Promise.all(open);
  parentPort!.on('message', (asked) => {
    if (asked === 'heard') parentPort!.postMessage({ ...heard, arrivals: Float64Array.from(heard.arrivals) });
    heard = { messages: 0, arrivals: [] };
  });
  parentPort!.postMessage('open');

  function subscribe(i: number): Promise<void> {
    const { channel, filter } = wishOf(i);
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/debug`);
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('open', () => socket.send(JSON.stringify({ action: 'subscribe', channel, filter })));
      socket.on('message', (data: Buffer) => {
        const message = data.toString('latin1');
        if (message.startsWith('{"type":"subscribed"')) {
          if (i === 0) socket.pause();
          resolve();
        } else if (message.startsWith('{"type":"debug:')) {
          const at = message.indexOf('"message":"request ') + 19;
          heard.messages++;
          heard.arrivals.push(
            Number(message.slice(at, message.indexOf(' ', at))),
            performance.timeOrigin + performance.now(),
          );
        }
      });
    });
  }
}

if (!isMainThread) await read(workerData.url, workerData.subscribers);
