import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createArchive } from '../../storage/archive/archive.ts';
import { describeColdStore } from './cold-store.suite.ts';

describeColdStore('archive', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'archive-'));
  return {
    async open() {
      const shared = { clock: systemClock(), log: createLogger('silent'), meter: createMeter() };
      const store = createArchive({ url: `file:${folder}`, ...shared });
      await store.start();
      return store;
    },
    drop: () => rm(folder, { recursive: true }),
  };
});
