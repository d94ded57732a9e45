/** Where a request is kept that was acknowledged and cannot be stored by our own mistake: for whoever mends it, and in nobody's way. */
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import type { JournalEntry } from './journal.ts';

/** Keeps an entry aside. Never fails: what cannot be kept is counted and logged. */
export type SetAside = (entry: Omit<JournalEntry, 'index'>, reason: unknown) => Promise<void>;

export interface QuarantineOptions {
  directory: string;
  /** Beyond it nothing more is kept. Default 64 MiB. */
  bytesMax?: number;
  log: Logger;
  meter: Meter;
}

/** Files are export requests as protobuf, `<position>.<signal>.pb` in a folder for each tenant's name in hex. */
export function createQuarantine({ directory, bytesMax = BYTES_MAX, log, meter }: QuarantineOptions): SetAside {
  const count = meter.counter('requests_set_aside_total', 'Acknowledged requests that could not be stored.', ['kept']);
  for (const kept of ['true', 'false']) count.inc({ kept }, 0);

  return async ({ tenant, signal, position, body }, reason) => {
    const folder = join(directory, Buffer.from(tenant).toString('hex'));
    const file = join(folder, `${position}.${signal}.pb`);
    let kept = false;
    try {
      await mkdir(folder, { recursive: true });
      kept = (await bytesIn(directory)) + body.length <= bytesMax;
      if (kept) await writeFile(file, body, { flush: true });
    } catch (error) {
      kept = false;
      log.error({ err: error, file }, 'a request could not be set aside');
    }
    count.inc({ kept: String(kept) });
    log.error(
      { err: reason, tenant, signal, file: kept ? file : null },
      'a request could not be stored and is set aside',
    );
  };
}

const BYTES_MAX = 64 << 20;

async function bytesIn(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true });
  const sizes = await Promise.all(names.map(async (name) => await stat(join(directory, name))));
  return sizes.reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0);
}
