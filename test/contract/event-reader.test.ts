import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createArchive } from '../../storage/archive/archive.ts';
import { createMemoryHotStore } from '../../storage/memory/hot.ts';
import { embeddedDirectory } from '../support/embedded.ts';
import { describeEventReader, type TiersHarness } from './event-reader.suite.ts';

const ROOMY = 64 << 20;
// Some ten blocks of the suite: older ones are dropped all the time.
const NARROW = 20_000;

describeEventReader('SQLite', () => open({}));
describeEventReader('memory and SQLite', () => open({ hotBytesMax: ROOMY }));
describeEventReader('memory and SQLite, all written here', () => open({ hotBytesMax: ROOMY, soleWriter: true }));
describeEventReader('a full memory and SQLite, all written here', () =>
  open({ hotBytesMax: NARROW, soleWriter: true }),
);
describeEventReader('SQLite and archive', () => open({ archive: true }));
describeEventReader('memory, SQLite and archive', () => open({ hotBytesMax: ROOMY, archive: true }));

interface Which {
  hotBytesMax?: number;
  archive?: boolean;
  soleWriter?: boolean;
}

async function open({ hotBytesMax, archive = false, soleWriter = false }: Which): Promise<TiersHarness> {
  const shared = { clock: systemClock(), log: createLogger('silent'), meter: createMeter() };
  const data = await embeddedDirectory();
  const folder = await mkdtemp(join(tmpdir(), 'ai-debug-archive-'));
  const warm = await data.open();
  const cold = archive ? createArchive({ url: `file:${folder}`, ...shared }) : null;
  const hot =
    hotBytesMax === undefined ? null : createMemoryHotStore({ bytesMax: hotBytesMax, ttlMs: 3_600_000, ...shared });
  await cold?.start();
  await hot?.start();
  return {
    ...{ hot, warm, cold, soleWriter },
    async drop() {
      for (const store of [hot, cold, warm]) await store?.stop();
      await data.drop();
      await rm(folder, { recursive: true });
    },
  };
}
