import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { loadConfig } from '../config.ts';
import { createLook } from '../insight/look.ts';
import { emptyFlush } from '../storage/contract.ts';
import { createTiers } from '../storage/tiers.ts';
import { logBlock, MINUTE, NOON, SECOND } from '../test/support/blocks.ts';
import { type EmbeddedDirectory, embeddedDirectory } from '../test/support/embedded.ts';
import { createLookThread, type LookThread } from './look-thread.ts';
import { analyzersOf, readerOf } from './looks.ts';

const shared = { clock: systemClock(), log: createLogger('silent'), meter: createMeter() };
const request = { scope: { tenant: 'default', end: NOON + MINUTE }, now: NOON + MINUTE, known: [] };
let directory: EmbeddedDirectory;
let threads: LookThread[];

beforeEach(async () => {
  directory = await embeddedDirectory();
  threads = [];
});
afterEach(async () => {
  await Promise.all(threads.map((thread) => thread.stop()));
  await directory.drop();
});

function thread(dataDir = directory.directory): LookThread {
  const config = loadConfig({ environment: { DEBUG_DATA_DIR: dataDir } });
  const made = createLookThread(config, shared);
  threads.push(made);
  return made;
}

test('a thread sees what this one wrote, and finds what this one finds', async () => {
  const warm = await directory.open();
  const { look } = thread();
  expect(await look(request)).toMatchObject({ findings: [] });

  const failures = Array.from({ length: 9 }, (_, i) => ({
    ...{ time: NOON + BigInt(i) * SECOND, message: 'the card was refused', severity: 17 },
    ...{ component: { type: 'service', id: 'pay' }, correlation: `order-${i}` },
  }));
  await warm.commit({ ...emptyFlush('default'), blocks: [logBlock(failures)] });
  const looked = await look(request);
  const tiers = createTiers({ hot: null, warm, cold: null, ...shared });
  const analyzers = analyzersOf(loadConfig({ environment: {} }));
  const here = createLook({ reader: readerOf(tiers.reader, warm), analyzers, clock: shared.clock });
  expect(looked).toEqual(await here(request));
  expect(looked.findings.length).toBeGreaterThan(0);
  await warm.stop();
});

test('a store that does not open fails the look, and the next one tries again', async () => {
  const path = join(directory.directory, 'data');
  await writeFile(path, 'a file in the place of the folder');
  const { look } = thread(path);
  await expect(look(request)).rejects.toThrow('DEBUG_DATA_DIR');
  await rm(path);
  expect(await look(request)).toMatchObject({ findings: [] });
});

test('a stop gives up the look under way, and none comes after', async () => {
  const { look, stop } = thread();
  await look(request);
  const underWay = look(request);
  const ended = expect(underWay).rejects.toThrow();
  await Promise.resolve();
  await stop();
  await ended;
  await expect(look(request)).rejects.toThrow('stopping');
});
