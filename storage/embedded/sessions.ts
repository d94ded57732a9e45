/** Debug sessions: one document each. */
import type { Session } from '../../model/snapshot.ts';
import { parseNanos } from '../../model/time.ts';
import { rowTime } from '../text.ts';
import type { Database } from './database.ts';
import { Where } from './where.ts';

/** Replaces the one of its id. */
export function writeSession(database: Database, tenant: string, row: Session): void {
  const createdAt = rowTime(parseNanos(row.created_at) ?? 0n);
  database.run('INSERT OR REPLACE INTO session (tenant, id, active, created_at, document) VALUES (?, ?, ?, ?, ?)', [
    tenant,
    row.id,
    Number(row.active),
    createdAt,
    JSON.stringify(row),
  ]);
}

export function readSession(database: Database, tenant: string, id: string): Session | null {
  const row = database.get<SessionRow>('SELECT document FROM session WHERE tenant = ? AND id = ?', [tenant, id]);
  return row === undefined ? null : (JSON.parse(row.document) as Session);
}

export function readSessions(
  database: Database,
  tenant: string,
  { active, limit }: { active?: boolean; limit: number },
): Session[] {
  const where = new Where().equal('tenant', tenant);
  if (active !== undefined) where.equal('active', Number(active));
  const rows = database.all<SessionRow>(
    `SELECT document FROM session ${where} ORDER BY created_at DESC, id DESC LIMIT ?`,
    [...where.values, limit],
  );
  return rows.map(({ document }) => JSON.parse(document) as Session);
}

interface SessionRow {
  document: string;
}
