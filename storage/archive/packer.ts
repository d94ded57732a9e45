/** Packing in a worker thread that is there while somebody archives. */
import { createThread } from '../../base/thread.ts';
import { type PackedBlock, pack } from './pack.ts';

export interface Packer {
  /** One after the other. @param index and payload as a store keeps them */
  pack(index: Uint8Array, payload: Uint8Array): Promise<PackedBlock>;
  /** Ends the thread when nothing has come for a while; the next block starts another. */
  rest(): void;
  stop(): Promise<void>;
}

export function createPacker(): Packer {
  const script = new URL('./pack-worker.ts', import.meta.url);
  const thread = createThread<{ index: Uint8Array; payload: Uint8Array }, PackedBlock>('the packing thread', script);
  let resting: NodeJS.Timeout | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function end(): Promise<void> {
    clearTimeout(resting);
    await thread.end();
  }

  return {
    async pack(index, payload) {
      if (payload.length < HERE_BYTES) return pack(index, payload);
      clearTimeout(resting);
      const packed = thread.ask({ index, payload });
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
}

// Compressed, some hundred records: packed in a millisecond or two, less than others would notice.
const HERE_BYTES = 16 << 10;
// A thread takes 20 MB while it is there and 50 ms to start.
const REST_MS = 10_000;
