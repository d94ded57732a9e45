/** One flush into the file, whole or not at all: on the loop, or in the writer's thread. */
import type { Flush, LedgerLine } from '../contract.ts';
import { lineTaken, RepeatedRequests } from '../repeated.ts';
import { writeBlocks } from './blocks.ts';
import type { Database } from './database.ts';
import { rememberRequests } from './requests.ts';
import { writeRows } from './rows.ts';

/**
 * @returns those of its requests that were committed before; when there are any, nothing was changed
 * @throws DebugError CONFLICT where another process writes this line
 */
export async function commitFlush(database: Database, flush: Flush, now: bigint): Promise<readonly string[]> {
  try {
    await database.transaction(() => {
      if (flush.ledger !== null && !advance(database, flush.ledger)) return;
      rememberRequests(database, flush, now);
      writeBlocks(database, flush.blocks);
      writeRows(database, flush);
    });
  } catch (error) {
    if (error instanceof RepeatedRequests) return error.requests;
    throw error;
  }
  return [];
}

/** @returns false where the flush was committed before  @throws DebugError CONFLICT where another process writes this line */
function advance(database: Database, { journal, position, after }: LedgerLine): boolean {
  const row = database.get<{ position: bigint }>('SELECT position FROM ledger WHERE journal = ?', [journal]);
  const known = row?.position ?? 0n;
  if (after !== undefined && row !== undefined && known !== after && known !== position) {
    throw lineTaken(journal, known, after);
  }
  if (position <= known) return false;
  database.run(
    'INSERT INTO ledger (journal, position) VALUES (?, ?) ON CONFLICT DO UPDATE SET position = excluded.position',
    [journal, position],
  );
  return true;
}
