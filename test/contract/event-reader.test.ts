import { systemClock } from '../../base/clock.ts';
import { createMemoryHotStore } from '../../storage/memory/hot.ts';
import { embeddedDirectory } from '../support/embedded.ts';
import { describeEventReader, type TiersHarness } from './event-reader.suite.ts';

const ROOMY = 64 << 20;
// Some ten blocks of the suite: older ones are dropped all the time.
const NARROW = 20_000;

describeEventReader('SQLite', () => embedded(null));
describeEventReader('memory and SQLite', () => embedded(ROOMY));
describeEventReader('memory and SQLite, all written here', () => embedded(ROOMY, true));
describeEventReader('a full memory and SQLite, all written here', () => embedded(NARROW, true));

async function embedded(hotBytesMax: number | null, soleWriter = false): Promise<TiersHarness> {
  const directory = await embeddedDirectory();
  const warm = await directory.open();
  const limits = { bytesMax: hotBytesMax ?? 0, ttlMs: 3_600_000, clock: systemClock() };
  const hot = hotBytesMax === null ? null : createMemoryHotStore(limits);
  await hot?.start();
  return {
    ...{ hot, warm, cold: null, soleWriter },
    async drop() {
      await hot?.stop();
      await warm.stop();
      await directory.drop();
    },
  };
}
