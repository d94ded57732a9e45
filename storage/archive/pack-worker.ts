/** Packs blocks beside the event loop: a block of 4,096 records takes it 50 ms and more. */
import { parentPort } from 'node:worker_threads';
import { pack } from './pack.ts';

parentPort!.on('message', ({ index, payload }: { index: Uint8Array; payload: Uint8Array }) => {
  try {
    parentPort!.postMessage({ packed: pack(index, payload) });
  } catch (error) {
    parentPort!.postMessage({ error });
  }
});
