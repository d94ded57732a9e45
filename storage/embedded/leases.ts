/** Names that one process holds at a time. */
import type { Database } from './database.ts';

/** @param now nanoseconds @returns whether the holder has it */
export function takeLease(
  database: Database,
  { name, holder, now, until }: { name: string; holder: string; now: bigint; until: bigint },
): boolean {
  const { changes } = database.run(
    `INSERT INTO lease (name, holder, expires_at) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
     WHERE holder = excluded.holder OR expires_at <= ?`,
    [name, holder, until, now],
  );
  return changes > 0n;
}

export function endLease(database: Database, name: string, holder: string): void {
  database.run('DELETE FROM lease WHERE name = ? AND holder = ?', [name, holder]);
}

export function heldLeases(database: Database, prefix: string, now: bigint): string[] {
  const rows = database.all<{ name: string }>(
    'SELECT name FROM lease WHERE substr(name, 1, length(?)) = ? AND expires_at > ? ORDER BY name',
    [prefix, prefix, now],
  );
  return rows.map(({ name }) => name);
}
