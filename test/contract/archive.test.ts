/** The cold tier in a folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { systemClock } from '../../base/clock.ts';
import { createMeter } from '../../base/meter.ts';
import { createArchive } from '../../storage/archive/archive.ts';
import { describeColdStore } from './cold-store.suite.ts';

describeColdStore('archive', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ai-debug-archive-'));
  return {
    async open() {
      const archive = createArchive({
        url: `file:${folder}`,
        clock: systemClock(),
        log: pino({ level: 'silent' }),
        meter: createMeter(),
      });
      await archive.start();
      return archive;
    },
    drop: () => rm(folder, { recursive: true }),
  };
});
