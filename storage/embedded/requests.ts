/** The requests of the last hour. */
import { type Flush, REQUESTS_REMEMBERED_NANOS } from '../contract.ts';
import { RepeatedRequests } from '../repeated.ts';
import type { Database } from './database.ts';

/** Within the caller's transaction. @throws RepeatedRequests, for the caller to roll back */
export function rememberRequests(database: Database, { tenant, requests = [] }: Flush, now: bigint): void {
  if (requests.length === 0) return;
  database.run('DELETE FROM received_request WHERE received_at < ?', [now - REQUESTS_REMEMBERED_NANOS]);
  const repeated = [...new Set(requests)].filter((id) => {
    const { changes } = database.run(
      'INSERT INTO received_request (tenant, id, received_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      [tenant, Buffer.from(id, 'hex'), now],
    );
    return changes === 0n;
  });
  if (repeated.length > 0) throw new RepeatedRequests(repeated);
}
