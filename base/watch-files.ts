/**
 * Tells when files have changed. By looking, not by inotify: secrets that an orchestrator mounts are links whose target is swapped,
 * of which a watch on the file hears nothing.
 */
import { stat } from 'node:fs/promises';
import type { Part } from './lifecycle.ts';
import type { Logger } from './log.ts';

export interface WatchOptions {
  paths: readonly string[];
  /** Takes the new content over. What it throws is logged, and the old stays in force. */
  changed(): void | Promise<void>;
  log: Logger;
  /** Default 10 s: a certificate is renewed days before it expires, a token is withdrawn within seconds. */
  everyMs?: number;
}

/** Only looks when there is something to look at. */
export function watchFiles({ paths, changed, log, everyMs = 10_000 }: WatchOptions): Part {
  let timer: NodeJS.Timeout | undefined;
  let seen = '';
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const now = await signatureOf(paths);
    if (now === seen) return;
    seen = now;
    try {
      await changed();
      log.info({ paths }, 'files were read again');
    } catch (error) {
      log.error(
        { paths, reason: (error as Error).message },
        'files changed and cannot be used; what they said before stays in force',
      );
    }
  }

  return {
    name: 'files',
    async start() {
      if (paths.length === 0 || timer !== undefined) return;
      seen = await signatureOf(paths);
      timer = setInterval(() => {
        looking = looking.then(look);
      }, everyMs).unref();
    },
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

async function signatureOf(paths: readonly string[]): Promise<string> {
  const each = paths.map(async (path) => {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  });
  return (await Promise.allSettled(each)).map((one) => (one.status === 'fulfilled' ? one.value : 'absent')).join('\n');
}
