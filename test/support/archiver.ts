/** Archives what is due until it is killed: `node archiver.ts <folder> <now> <step>`; started by the test of F11. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { NANOS_PER_DAY } from '../../model/time.ts';
import { createArchive } from '../../storage/archive/archive.ts';
import { createDirectoryObjects } from '../../storage/archive/folder.ts';
import { createEmbeddedStore } from '../../storage/embedded/store.ts';
import { createRetention } from '../../storage/retention.ts';

/** @returns the signal that ended it, at the so-manieth change of the archive */
export function killedArchiver(folder: string, now: bigint, step: number): NodeJS.Signals | null {
  const args = [fileURLToPath(import.meta.url), folder, String(now), String(step)];
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).signal;
}

async function main(folder: string, now: bigint, step: number): Promise<void> {
  const clock = { nowNanos: () => now++, monotonicMs: () => performance.now() };
  const shared = { clock, log: createLogger('silent'), meter: createMeter() };
  const warm = createEmbeddedStore({ directory: folder, ...shared });
  const objects = createDirectoryObjects(join(folder, 'archive'));
  const cold = createArchive({
    url: '',
    objects: {
      ...objects,
      async put(name, content) {
        if (--step === 0) process.kill(process.pid, 'SIGKILL');
        await objects.put(name, content);
      },
    },
    ...shared,
  });
  await warm.start();
  await cold.start();
  const days = { retentionNanos: 7n * NANOS_PER_DAY, archiveRetentionNanos: 90n * NANOS_PER_DAY };
  await createRetention({ warm, cold, archives: true, ...days, ...shared }).run();
}

if (import.meta.main) await main(process.argv[2]!, BigInt(process.argv[3]!), Number(process.argv[4]));
