/** The thread that looks for insights: reads warm and cold by connections of its own, and changes nothing. */
import { constants, setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import { systemClock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { serveThread } from '../base/thread.ts';
import { createLook, type Looked, type LookRequest } from '../insight/look.ts';
import { createTiers } from '../storage/tiers.ts';
import { analyzersOf, type LookerData, readerOf } from './looks.ts';
import { coldOf, warmOf } from './stores.ts';

const { config, level } = workerData as LookerData;
const shared = { clock: systemClock(), log: createLogger(level), meter: createMeter() };
// Linux takes a thread for what elsewhere is the process: nobody waits for this one.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const warm = warmOf(config, shared);
const cold = coldOf(config, shared);
const tiers = createTiers({ hot: null, warm, cold, ...shared });
const look = createLook({ reader: readerOf(tiers.reader, warm), analyzers: analyzersOf(config), clock: shared.clock });
const open = Promise.all([warm.start(), cold.start()]);

serveThread(answer, open);

async function answer(request: LookRequest): Promise<Looked> {
  const { unread, runs, ...looked } = await look(request);
  return {
    ...looked,
    unread: new Map([...unread].map(([need, error]) => [need, plain(error)])),
    runs: runs.map((run) => (run.error === undefined ? run : { ...run, error: plain(run.error) })),
  };
}

/** As what an error carries besides may not be copied to another thread. */
function plain(error: unknown): Error {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return Object.assign(new Error(message), { stack });
}
