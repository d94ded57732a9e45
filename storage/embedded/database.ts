/**
 * One SQLite file: opened, brought to this version's schema, and asked. The engine is synchronous and in process: a look-up costs
 * microseconds, so that a thread between would cost more than it saves. Nothing here holds a statement open across a turn of
 * the event loop, so that a slow reader never keeps the log from being folded into the file.
 */
import { closeSync, fdatasync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AggregateOptions,
  DatabaseSync,
  type SQLInputValue,
  type SQLOutputValue,
  type StatementSync,
} from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LRUCache } from 'lru-cache';
import { makeDirectory } from '../../base/directory.ts';
import { DebugError } from '../../base/errors.ts';
import { Sketch } from '../../model/sketch.ts';

export type Row = Record<string, SQLOutputValue>;

export interface Database {
  /** Rows of a statement; integers come as bigint. @throws DebugError */
  all<R extends object = Row>(sql: string, values?: SQLInputValue[]): R[];
  get<R extends object = Row>(sql: string, values?: SQLInputValue[]): R | undefined;
  /** @returns how many rows changed, and the number of the row inserted last */
  run(sql: string, values?: SQLInputValue[]): { changes: bigint; lastInsertRowid: bigint };
  /**
   * Runs `work` as one durable step that nothing can come between, here or in another process. What it throws undoes it;
   * it runs again after another process was in the way.
   * @throws DebugError UNAVAILABLE when another process keeps the file for itself for too long
   */
  transaction<T>(work: () => T): Promise<T>;
  /** Runs what writes to the file by another connection of this process: no transaction begins here before it has ended. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Gives a little of what is free in the file back to the disk, where more than half of it is. Less is kept for the days to come:
   * a file that shrank each night would be written anew each day.
   * @param all whatever is free, where the disk is needed
   * @returns whether there is more to give
   */
  shrink(all?: boolean): Promise<boolean>;
  /** What the file takes on disk, once its log is folded in. */
  fileBytes(): number;
  close(): void;
}

/**
 * Opens `events.db` in the directory, making both where they are missing.
 * @throws DebugError that names the setting, where it cannot be opened or was written by a later version
 */
export async function openDatabase(directory: string): Promise<Database> {
  const file = join(directory, 'events.db');
  let sqlite: DatabaseSync | undefined;
  try {
    await makeDirectory(directory);
    sqlite = new DatabaseSync(file, { readBigInts: true, timeout: BUSY_WAIT_MS, defensive: true });
    const database = createDatabase(sqlite, createLogSync(`${file}-wal`));
    // Two processes that open a new file at once: one of them is told that it is busy, whatever its timeout.
    await whileBusy(() => sqlite!.exec(SETTINGS));
    await migrate(sqlite, database);
    return database;
  } catch (error) {
    sqlite?.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new DebugError('INVALID', `DEBUG_DATA_DIR: cannot open ${file}: ${reason}`, { cause: error });
  }
}

// The process sleeps inside SQLite for so long; a writer that finds the file taken waits the rest between turns of its loop.
const BUSY_WAIT_MS = 50;
const BUSY_PAUSE_MS = 10;
const BUSY_MAX_MS = 10_000;

// synchronous NORMAL: SQLite itself would sync the log within COMMIT and hold the event loop for as long as the disk takes, hundreds of
// milliseconds on a busy one. We do what FULL does behind each commit, on a thread: a transaction has not resolved before.
// A checkpoint at 16 MB of log instead of 4: each touched page is written back a quarter as often, 10 to 15% of a commit.
// No mmap: it showed no gain, and an error of the disk would end the process instead of the query.
const SETTINGS = `
  PRAGMA auto_vacuum = INCREMENTAL;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA fullfsync = ON;
  PRAGMA cache_size = -65536;
  PRAGMA wal_autocheckpoint = 4000;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA temp_store = MEMORY;
`;

const SHRINK_PAGES = 1000;

// There are some thirty; filters of snapshots and insights are put together as they are asked.
const STATEMENTS_MAX = 200;

function createDatabase(sqlite: DatabaseSync, log: LogSync): Database {
  const statements = new LRUCache<string, StatementSync>({ max: STATEMENTS_MAX });
  // Sketches merge where they lie: one upsert instead of read, merge and write.
  sqlite.function('sketch_merge', { deterministic: true, directOnly: true }, (a, b) =>
    Sketch.mergeBytes(a as Uint8Array, b as Uint8Array),
  );
  // What is added to may be any value; the types know what SQLite can store alone.
  const sum: AggregateOptions<never> = {
    directOnly: true,
    start: () => new Sketch() as never,
    step(sum: Sketch, sketch) {
      sum.addBytes(sketch as Uint8Array);
      return sum as never;
    },
    result: (sum: Sketch) => sum.toBytes(),
  };
  sqlite.aggregate('sketch_sum', sum);

  function ask<T>(sql: string, how: (statement: StatementSync) => T): T {
    if (!sqlite.isOpen) throw new DebugError('UNAVAILABLE', 'the store is stopped');
    try {
      let statement = statements.get(sql);
      if (statement === undefined) {
        statement = sqlite.prepare(sql);
        statements.set(sql, statement);
      }
      return how(statement);
    } catch (error) {
      throw asDebugError(error);
    }
  }
  const run: Database['run'] = (sql, values = []) =>
    ask(sql, (statement) => statement.run(...values)) as { changes: bigint; lastInsertRowid: bigint };

  let lastTurn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = lastTurn.then(work);
    lastTurn = turn.catch(() => {});
    return turn;
  };

  // From BEGIN to COMMIT without a pause: all callers share the connection. Others read what it wrote while the disk is waited for.
  const transaction = async <T>(work: () => T): Promise<T> => {
    log.check();
    const result = await inTurn(() =>
      whileBusy(() => {
        run('BEGIN IMMEDIATE');
        try {
          const result = work();
          run('COMMIT');
          return result;
        } catch (error) {
          if (sqlite.isOpen && sqlite.isTransaction) run('ROLLBACK');
          throw error;
        }
      }),
    );
    await log.sync();
    return result;
  };
  const pages = (pragma: string): number =>
    ask(`PRAGMA ${pragma}`, (statement) => Number((statement.get() as Row)[pragma]));

  return {
    all: <R>(sql: string, values: SQLInputValue[] = []) => ask(sql, (statement) => statement.all(...values)) as R[],
    get: <R>(sql: string, values: SQLInputValue[] = []) =>
      ask(sql, (statement) => statement.get(...values)) as R | undefined,
    run,
    transaction,
    inTurn,
    async shrink(all = false) {
      if (pages('freelist_count') <= (all ? 0 : pages('page_count') / 2)) return false;
      await transaction(() => sqlite.exec(`PRAGMA incremental_vacuum(${SHRINK_PAGES})`));
      return true;
    },
    fileBytes: () => pages('page_count') * pages('page_size'),
    close() {
      statements.clear();
      log.close();
      if (sqlite.isOpen) sqlite.close();
    },
  };
}

interface LogSync {
  /** Resolves when all that was written before the call is on the disk. Calls while one sync runs share the next. */
  sync(): Promise<void>;
  /** @throws DebugError UNAVAILABLE once a sync has failed */
  check(): void;
  close(): void;
}

/** The file stays the same as long as a connection is open: SQLite begins it anew in place. */
function createLogSync(path: string): LogSync {
  let file: number | undefined;
  let failed: DebugError | undefined;
  let closed = false;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function syncNow(): Promise<void> {
    check();
    if (closed) throw new DebugError('UNAVAILABLE', 'the store is stopped');
    try {
      file ??= openSync(path, 'r+');
      await promisify(fdatasync)(file);
    } catch (cause) {
      // The kernel may have dropped what it could not write, and call the next fdatasync a success: it is not asked again.
      failed = new DebugError(
        'UNAVAILABLE',
        'the disk failed to sync events.db: it is written no more until a restart',
        {
          cause,
          retryAfterSeconds: 5,
        },
      );
      throw failed;
    }
  }

  function check(): void {
    if (failed !== undefined) throw failed;
  }

  function sync(): Promise<void> {
    if (running === undefined) {
      running = syncNow().finally(() => {
        running = undefined;
      });
      return running;
    }
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return sync();
      });
    return next;
  }

  return {
    sync,
    check,
    close() {
      closed = true;
      const closing = file;
      file = undefined;
      if (closing === undefined) return;
      // A sync that runs has the file until it ends.
      void (running ?? Promise.resolve()).catch(() => {}).then(() => closeSync(closing));
    },
  };
}

async function whileBusy<T>(attempt: () => T): Promise<T> {
  const start = performance.now();
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      const busy = errcode(error instanceof DebugError ? error.cause : error) === SQLITE_BUSY;
      if (!busy || performance.now() - start > BUSY_MAX_MS) throw error;
    }
    await sleep(BUSY_PAUSE_MS);
  }
}

/** Migrations are numbered from 1 without a gap; the file remembers the last one that it has seen. */
async function migrate(sqlite: DatabaseSync, database: Database): Promise<void> {
  const directory = new URL('./sql/', import.meta.url);
  const names = (await readdir(directory)).filter((name) => /^\d{3}-.*\.sql$/.test(name)).sort();
  const migrations = await Promise.all(names.map((name) => readFile(new URL(name, directory), 'utf8')));
  const version = () => Number(database.get('PRAGMA user_version')!.user_version);
  const known = () => {
    if (version() > migrations.length) {
      throw new Error(`it was written by a later version (schema ${version()}, this one knows ${migrations.length})`);
    }
    return version() === migrations.length;
  };
  if (known()) return;
  await database.transaction(() => {
    if (known()) return; // another process was faster
    for (let next = version(); next < migrations.length; next++) {
      sqlite.exec(migrations[next]!);
      sqlite.exec(`PRAGMA user_version = ${next + 1}`);
    }
  });
}

const SQLITE_BUSY = 5;
// Of those that pass by themselves or when somebody makes room: locked, I/O error, disk full.
const PASSING = new Map([
  [SQLITE_BUSY, 'another process is writing'],
  [6, 'another process is writing'],
  [10, 'the disk cannot be read or written'],
  [13, 'the disk is full'],
]);

function asDebugError(error: unknown): unknown {
  const passing = PASSING.get(errcode(error) ?? 0);
  if (passing === undefined) return error;
  return new DebugError('UNAVAILABLE', passing, { cause: error, retryAfterSeconds: 1 });
}

/** SQLite's primary result code; the extended ones keep it in their low byte. */
function errcode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}
