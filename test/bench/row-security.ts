/**
 * What row-level security costs a read (docs/decisions/014): the same look-up as the owner of the tables and as the role that sees one tenant.
 *
 *   node test/bench/row-security.ts [--json FILE]
 *
 * On a PostgreSQL of its own, the two take turns.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createLogger } from '../../base/log.ts';
import { connectOnce, createConnection } from '../../storage/postgres/connection.ts';
import { migrate } from '../../storage/postgres/migrate.ts';
import { prepareReader } from '../../storage/postgres/row-security.ts';
import { createDatabase, startPostgres } from '../support/postgres.ts';

const READS = 5_000;
const STATEMENT = 'SELECT template_text FROM template WHERE tenant_id = $1 AND template_id = $2';

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const server = await startPostgres();
const database = await createDatabase(server.url);
const client = await connectOnce(database.url);
await migrate(client);
await prepareReader(client, 'on', createLogger('warn'));
await client.query(`
  INSERT INTO template (shard, tenant_id, template_id, template_text)
  SELECT i % 1024, 'tenant-' || i % 10, i::text, 'text' FROM generate_series(0, 99999) i`);
await client.query('ANALYZE template');

const log = createLogger('warn');
const ways = { owner: createConnection(database.url, log, false), reader: createConnection(database.url, log, true) };
const times = { owner: [] as number[], reader: [] as number[] };
for (let i = 0; i < READS; i++) {
  for (const way of ['owner', 'reader'] as const) {
    const tenant = `tenant-${i % 10}`;
    const id = String(((i * 7919) % 10_000) * 10 + (i % 10));
    const begin = performance.now();
    const rows = await ways[way].rows(tenant, STATEMENT, [tenant, id]);
    if (rows.length !== 1) throw new Error(`${rows.length} rows`);
    if (i > READS / 10) times[way].push((performance.now() - begin) * 1000);
  }
}
const figures = Object.fromEntries(
  Object.entries(times).map(([way, all]) => {
    const sorted = all.sort((a, b) => a - b);
    return [way, { p50_us: sorted[sorted.length >> 1]!, p95_us: sorted[Math.floor(sorted.length * 0.95)]! }];
  }),
);
for (const [way, { p50_us, p95_us }] of Object.entries(figures))
  process.stdout.write(`${way.padEnd(8)} p50 ${p50_us.toFixed(0)} µs  p95 ${p95_us.toFixed(0)} µs\n`);
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
await client.end();
for (const way of Object.values(ways)) await way.close();
await database.drop();
await server.stop();
