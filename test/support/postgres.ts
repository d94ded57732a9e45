import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { type LocalServer, type ServerKind, startLocalServer } from './local-server.ts';

/**
 * The PostgreSQL of DEBUG_TEST_PG_URL, whose user must be allowed to create databases, or one of our own. Ours keeps the
 * defaults that tests are about, fsync above all; only initdb skips its sync, since nobody needs an empty cluster to
 * survive a power cut.
 *
 * @throws Error that says what to type, when there is none and none can be installed.
 */
export function startPostgres(): Promise<LocalServer> {
  return startLocalServer(POSTGRES);
}

/**
 * A fresh, empty database on that server, for one test file. `drop` is idempotent and ends the connections that are
 * left open to it.
 */
export async function createDatabase(serverUrl: string): Promise<{ readonly url: string; drop(): Promise<void> }> {
  const name = `ai_debug_test_${randomBytes(8).toString('hex')}`;
  await execute(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => execute(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Trust is for whoever reaches a loopback port for the length of a test run. */
const INIT_AND_RUN = `
  "$1/initdb" -D "$2/cluster" -U postgres --auth=trust --locale=C -E UTF8 --no-sync >/dev/null &&
  exec "$1/postgres" -D "$2/cluster" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories=
`;

const POSTGRES: ServerKind = {
  name: 'PostgreSQL',
  urlVariable: 'DEBUG_TEST_PG_URL',
  programs: ['postgres', 'initdb'],
  directories: ['/usr/lib/postgresql/*/bin', '/usr/pgsql-*/bin', '/opt/homebrew/opt/postgresql*/bin'],
  packages: { 'apt-get': 'postgresql', dnf: 'postgresql-server', brew: 'postgresql' },
  refusesRoot: true,
  command: (programDir, dataDir, port) => ['sh', '-c', INIT_AND_RUN, 'sh', programDir, dataDir, `${port}`],
  url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
};
