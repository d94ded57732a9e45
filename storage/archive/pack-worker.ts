/** Packs blocks beside the event loop: a block of 4,096 records takes it 50 ms and more. */
import { serveThread } from '../../base/thread.ts';
import { pack } from './pack.ts';

serveThread(({ index, payload }: { index: Uint8Array; payload: Uint8Array }) => pack(index, payload));
