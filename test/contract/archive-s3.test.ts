/** The archive in a bucket. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createArchive } from '../../storage/archive/archive.ts';
import { BUCKET, startS3 } from '../support/s3.ts';
import { describeColdStore } from './cold-store.suite.ts';

let s3: Awaited<ReturnType<typeof startS3>>;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.stop());

async function open(url: string, scratch: string) {
  const settings = { endpoint: s3.endpoint, region: 'us-east-1' };
  const shared = { clock: systemClock(), log: createLogger('silent'), meter: createMeter() };
  const archive = createArchive({ url, s3: settings, scratch, ...shared });
  await archive.start();
  return archive;
}

describeColdStore('archive in S3', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'ai-debug-archive-'));
  const url = `s3://${BUCKET}/${randomUUID()}`;
  return { open: () => open(url, scratch), drop: () => rm(scratch, { recursive: true }) };
});

it('a bucket that is not there is a wrong setting, named', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'ai-debug-archive-'));
  const refused = { code: 'INVALID', fields: [{ field: 'DEBUG_ARCHIVE_URL' }] };
  await expect(open('s3://no-such-bucket/x', scratch)).rejects.toMatchObject(refused);
  await rm(scratch, { recursive: true });
});
