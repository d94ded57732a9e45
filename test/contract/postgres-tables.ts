import pg from 'pg';

/** For the next test: migrating anew would take most of each test's time. */
export async function emptyDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const tables = ['block', 'block_key', 'ledger', 'component_minute', 'template_minute', 'template'];
  tables.push('edge_minute', 'trace_correlation', 'snapshot', 'insight', 'session', 'lease');
  tables.push('received_request', 'tenant_commit', 'committed_block', 'counted_hour');
  tables.push('component_hour', 'template_hour', 'edge_hour', 'resource');
  await client.query(tables.map((table) => `DELETE FROM ai_debug.${table}`).join(';'));
  await client.query('UPDATE ai_debug.block_version SET version = 0, forgotten = 0');
  await client.end();
}
