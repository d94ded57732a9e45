/** Embedded stores in directories of their own, for tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import type { WarmStore } from '../../storage/contract.ts';
import { createEmbeddedStore } from '../../storage/embedded/store.ts';

export interface EmbeddedDirectory {
  directory: string;
  /** A started store; opened again, the same file in another process. */
  open(clock?: Clock): Promise<WarmStore>;
  drop(): Promise<void>;
}

export async function embeddedDirectory(): Promise<EmbeddedDirectory> {
  const directory = await mkdtemp(join(tmpdir(), 'ai-debug-embedded-'));
  return {
    directory,
    async open(clock) {
      const store = createEmbeddedStore({
        directory,
        ...(clock && { clock }),
        log: createLogger('silent'),
        meter: createMeter(),
      });
      await store.start();
      return store;
    },
    drop: () => rm(directory, { recursive: true }),
  };
}
