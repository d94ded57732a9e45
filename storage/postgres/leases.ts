/** Names that one process holds at a time, by the server's clock: those of several machines differ. */
import type { Connection } from './connection.ts';

/** @returns whether the holder has it */
export async function takeLease(
  connection: Connection,
  name: string,
  holder: string,
  durationMs: number,
): Promise<boolean> {
  return connection.transaction(async (client) => {
    const { rowCount } = await client.query(
      `INSERT INTO lease (name, holder, expires_at) VALUES ($1, $2, now() + $3 * interval '1 millisecond')
       ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
       WHERE lease.holder = excluded.holder OR lease.expires_at <= now()`,
      [name, holder, durationMs],
    );
    return rowCount === 1;
  });
}

export async function endLease(connection: Connection, name: string, holder: string): Promise<void> {
  await connection.write('DELETE FROM lease WHERE name = $1 AND holder = $2', [name, holder]);
}

export async function heldLeases(connection: Connection, prefix: string): Promise<string[]> {
  const rows = await connection.rowsOfAll<{ name: string }>(
    'SELECT name FROM lease WHERE starts_with(name, $1) AND expires_at > now() ORDER BY name',
    [prefix],
  );
  return rows.map(({ name }) => name);
}
