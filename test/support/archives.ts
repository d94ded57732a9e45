/** Archives in a folder of their own, for tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter, type Meter } from '../../base/meter.ts';
import type { Block } from '../../model/block.ts';
import { createArchive } from '../../storage/archive/archive.ts';
import type { Objects } from '../../storage/archive/objects.ts';
import type { ColdStore } from '../../storage/contract.ts';
import { found } from './blocks.ts';

export interface ArchiveFolder {
  folder: string;
  /** A started archive in it; opened again, the same one in another process. @param options.url absent: the folder itself */
  open(options?: { url?: string; meter?: Meter; objects?: Objects }): Promise<ColdStore>;
  /** All that were opened. */
  stop(): Promise<void>;
  /** Stops them first. */
  drop(): Promise<void>;
}

export async function archiveFolder(): Promise<ArchiveFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'ai-debug-archive-'));
  const archives: ColdStore[] = [];
  const stop = async () => {
    for (const archive of archives.splice(0)) await archive.stop();
  };
  return {
    folder,
    stop,
    async open({ url = `file:${folder}`, meter = createMeter(), objects } = {}) {
      const shared = { clock: systemClock(), log: createLogger('silent'), meter };
      const archive = createArchive({ url, ...(objects !== undefined && { objects }), ...shared });
      archives.push(archive);
      await archive.start();
      return archive;
    },
    async drop() {
      await stop();
      await rm(folder, { recursive: true });
    },
  };
}

export async function archiveAll(archive: ColdStore, blocks: readonly Block[]): Promise<void> {
  for (const block of blocks) await archive.put(found(block));
  await archive.seal();
}
