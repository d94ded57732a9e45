/** Debugging sessions: few, and read whole. */
import type { Session } from '../../model/snapshot.ts';
import { parseNanos } from '../../model/time.ts';
import { rowText, rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { shardOf } from './rows.ts';

export async function session(connection: Connection, tenant: string, id: string): Promise<Session | null> {
  const [row] = await connection.rows<{ doc: Session }>(
    tenant,
    'SELECT doc FROM session WHERE tenant_id = $1 AND session_id = $2 AND shard = $3',
    [tenant, rowText(id), shardOf(rowText(id))],
  );
  return row?.doc ?? null;
}

export async function sessions(
  connection: Connection,
  tenant: string,
  { active, limit }: { active?: boolean; limit: number },
): Promise<Session[]> {
  const rows = await connection.rows<{ doc: Session }>(
    tenant,
    `SELECT doc FROM session WHERE tenant_id = $1 AND ($2::boolean IS NULL OR active = $2)
     ORDER BY created_at DESC, session_id DESC LIMIT $3`,
    [tenant, active ?? null, limit],
  );
  return rows.map(({ doc }) => doc);
}

export async function putSession(connection: Connection, tenant: string, session: Session): Promise<void> {
  await connection.write(
    `INSERT INTO session (tenant_id, session_id, shard, active, created_at, doc) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant_id, session_id, shard) DO UPDATE SET active = excluded.active, doc = excluded.doc`,
    [
      tenant,
      rowText(session.id),
      shardOf(rowText(session.id)),
      session.active,
      rowTime(parseNanos(session.created_at) ?? 0n),
      JSON.stringify(session),
    ],
  );
}
