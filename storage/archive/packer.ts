/** Packing in a worker thread that is there while somebody archives. */
import { Worker } from 'node:worker_threads';
import { type PackedBlock, pack } from './pack.ts';

export interface Packer {
  /** One after the other. @param index and payload as a store keeps them */
  pack(index: Uint8Array, payload: Uint8Array): Promise<PackedBlock>;
  /** Ends the thread when nothing has come for a while; the next block starts another. */
  rest(): void;
  stop(): Promise<void>;
}

/** What is published is JavaScript; from the sources Node takes TypeScript as it is. */
const BUILT = import.meta.url.endsWith('.js');

export function createPacker(): Packer {
  let worker: Worker | undefined;
  let resting: NodeJS.Timeout | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function packNext(index: Uint8Array, payload: Uint8Array): Promise<PackedBlock> {
    worker ??= new Worker(
      BUILT ? new URL('./pack-worker.js', import.meta.url) : new URL('./pack-worker.ts', import.meta.url),
    );
    const { promise, resolve, reject } = Promise.withResolvers<PackedBlock>();
    clearTimeout(resting);
    const asked = worker;
    asked.ref();
    const ended = () => reject(new Error('the packing thread has ended'));
    const answered = (answer: { packed: PackedBlock } | { error: Error }) =>
      'packed' in answer ? resolve(answer.packed) : reject(answer.error);
    asked.once('message', answered).once('error', reject).once('exit', ended);
    asked.postMessage({ index, payload });
    try {
      return await promise;
    } finally {
      asked.off('message', answered).off('error', reject).off('exit', ended);
      asked.unref(); // waiting for work is no reason for a process to stay
    }
  }

  return {
    async pack(index, payload) {
      if (payload.length < HERE_BYTES) return pack(index, payload);
      const packed = last.then(() => packNext(index, payload));
      last = packed.catch(() => {});
      return packed;
    },
    rest() {
      clearTimeout(resting);
      resting = setTimeout(end, REST_MS).unref();
    },
    async stop() {
      await last;
      await end();
    },
  };

  async function end(): Promise<void> {
    clearTimeout(resting);
    const ending = worker;
    worker = undefined;
    await ending?.terminate();
  }
}

// Compressed, some hundred records: packed in a millisecond or two, less than others would notice.
const HERE_BYTES = 16 << 10;
// A thread takes 20 MB while it is there and 50 ms to start.
const REST_MS = 10_000;
