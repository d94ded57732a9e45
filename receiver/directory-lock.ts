import { DatabaseSync } from 'node:sqlite';

/**
 * Makes this process the only one that holds `path`, until the returned function is called or the process ends, however it ends.
 *
 * The kernel has to keep the lock: a file with a process id in it outlives kill -9, and whoever then judges it stale races
 * others who do, and sees nothing through the walls of a container. Node has no flock, but SQLite takes POSIX locks, on
 * every platform, for a file of no bytes.
 *
 * @returns null when another process (or another caller in this one) holds it
 * @throws when the file cannot be made
 */
export function lockFile(path: string): (() => void) | null {
  const database = new DatabaseSync(path);
  try {
    // A rollback journal on disk would need space, on a disk that may be full.
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return null;
    throw error;
  }
  return () => database.close();
}

const SQLITE_BUSY = 5;
