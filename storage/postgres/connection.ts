/**
 * The way to the server: two bounded pools, so that slow reads never keep a commit waiting, and one vocabulary of failure. A
 * connection that broke is replaced by the next query; nothing here needs to be told that the server came back.
 */
import pg from 'pg';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { hashText } from '../../model/hash.ts';
import { hex64 } from '../../model/ids.ts';
import { asDebugError, SETTING } from './errors.ts';
import { SettingQuery } from './setting-query.ts';

export interface Connection {
  /** Rows of one statement, from the pool for reads; where row-level security is in force, as a role that sees this tenant's alone. @throws DebugError */
  // biome-ignore lint/suspicious/noExplicitAny: a row is what its statement says
  rows<Row extends pg.QueryResultRow = any>(tenant: string, text: string, values?: unknown[]): Promise<Row[]>;
  /**
   * The same of a statement that each connection keeps planned: over partitions planning takes ten times as long as running. There MUST be few
   * of them.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  plannedRows<Row extends pg.QueryResultRow = any>(tenant: string, text: string, values: unknown[]): Promise<Row[]>;
  /** The same of what is nobody's or everybody's: upkeep, never an answer. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  rowsOfAll<Row extends pg.QueryResultRow = any>(text: string, values?: unknown[]): Promise<Row[]>;
  /** One statement that changes something. @throws DebugError */
  write(text: string, values?: unknown[]): Promise<void>;
  /** Runs `work` between BEGIN and COMMIT. What it or the server throws rolls back, and is thrown as it is. */
  transaction<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
  /** Ends both pools when their queries in flight have ended. */
  close(): Promise<void>;
  /** How many connections are open. */
  readonly open: number;
}

/** Every name is looked up here, so that a database that others use too is no trouble. */
export const SCHEMA = 'ai_debug';

const READS_MAX = 8;
const WRITES_MAX = 2;
// Reads that find no connection wait, this many at most; the next is refused.
const WAITING_MAX = 64;
// No such statement, one that is there already, one of which a migration has changed the result: a pooler gave the connection to another
// server, or a table has another column now. Where that goes on, statements are planned anew each time.
const LOST_PLANS = new Set(['26000', '42P05', '0A000']);
const UNKNOWN_NAMES_MAX = 20;
const CONNECT_TIMEOUT_MS = 3_000;
const READ_TIMEOUT_MS = 10_000;
const WRITE_TIMEOUT_MS = 15_000;
// A server that fell silent cannot end its own statement: this much later we do.
const SILENCE_MS = 5_000;

/**
 * Opens nothing yet: each query takes a connection or makes one.
 * @param asReader whether reads go as the role that sees one tenant: row-security.ts has made it
 * @throws DebugError INVALID when the URL is none
 */
export function createConnection(url: string, log: Logger, asReader: boolean): Connection {
  const reads = createPool(url, READS_MAX, READ_TIMEOUT_MS, log);
  const writes = createPool(url, WRITES_MAX, WRITE_TIMEOUT_MS, log);

  const names = new Map<string, string>();
  let unknownNames = 0;

  async function ask<Row extends pg.QueryResultRow>(query: SettingQuery | pg.QueryConfig): Promise<Row[]> {
    if (reads.waitingCount >= WAITING_MAX) {
      throw new DebugError('UNAVAILABLE', 'too many reads wait for PostgreSQL', { retryAfterSeconds: 1 });
    }
    return (await reads.query<Row>(query as pg.QueryConfig)).rows;
  }

  async function read<Row extends pg.QueryResultRow>(query: SettingQuery | pg.QueryConfig): Promise<Row[]> {
    try {
      return await ask<Row>(query);
    } catch (error) {
      throw asDebugError(error);
    }
  }

  function queryOf(tenant: string, text: string, values: unknown[], name?: string): SettingQuery | pg.QueryConfig {
    if (!asReader && name === undefined) return { text, values };
    return new SettingQuery(text, values, {
      ...(asReader && { asReaderOf: tenant }),
      ...(name !== undefined && { name }),
    });
  }

  function nameOf(text: string): string {
    let name = names.get(text);
    if (name === undefined) names.set(text, (name = `ai_debug_${hex64(hashText(text))}`));
    return name;
  }

  return {
    rows: (tenant, text, values = []) => read(queryOf(tenant, text, values)),
    rowsOfAll: (text, values = []) => read({ text, values }),

    async plannedRows<Row extends pg.QueryResultRow>(tenant: string, text: string, values: unknown[]): Promise<Row[]> {
      if (unknownNames < UNKNOWN_NAMES_MAX) {
        try {
          return await ask<Row>(queryOf(tenant, text, values, nameOf(text)));
        } catch (error) {
          if (!LOST_PLANS.has((error as pg.DatabaseError).code ?? '')) throw asDebugError(error);
          unknownNames++;
        }
      }
      return read<Row>(queryOf(tenant, text, values));
    },

    async write(text, values = []) {
      try {
        await writes.query(text, values);
      } catch (error) {
        throw asDebugError(error);
      }
    },

    async transaction(work) {
      const client = await writes.connect();
      let broken: Error | undefined;
      try {
        // Whatever the server's default: a statement sees what others committed before it.
        await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
        const result = await work(client);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch((reason: Error) => {
          broken = reason;
        });
        throw error;
      } finally {
        client.release(broken);
      }
    },

    async close() {
      await Promise.all([reads.end(), writes.end()]);
    },

    get open() {
      return reads.totalCount + writes.totalCount;
    },
  };
}

/** A single connection outside the pools, to migrate. @throws DebugError INVALID when the setting is wrong, UNAVAILABLE */
export async function connectOnce(url: string): Promise<pg.Client> {
  const client = new pg.Client({ ...parse(url), connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => {}); // the query in flight throws it
  try {
    await client.connect();
    await client.query(SESSION);
    return client;
  } catch (error) {
    await client.end().catch(() => {}); // the first failure is the one to tell
    throw asDebugError(error, true);
  }
}

/**
 * Set after connecting rather than as start-up parameters, which connection poolers refuse. Commits are durable even
 * where the server's default is not; a default that is stronger than `on` stays.
 */
const SESSION = `
  SET search_path = ${SCHEMA};
  SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')`;

function createPool(url: string, max: number, timeoutMs: number, log: Logger): pg.Pool {
  const pool = new pg.Pool({
    ...parse(url),
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
    query_timeout: timeoutMs + SILENCE_MS,
    keepAlive: true,
    async onConnect(client) {
      await client.query(`SET statement_timeout = ${timeoutMs};${SESSION}`);
    },
  });
  // The query in flight throws it too; without a listener it would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('error', (error) => log.warn({ reason: error.message }, 'PostgreSQL closed an idle connection'));
  return pool;
}

function parse(url: string): pg.ClientConfig {
  // The error of an invalid URL carries the URL, and that a password: it is not handed on.
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    const message = 'must be a URL like postgres://user:password@host:5432/database';
    throw new DebugError('INVALID', `${SETTING} ${message}`, { fields: [{ field: SETTING, message }] });
  }
  return { connectionString: url, application_name: 'ai-debug' };
}
