/**
 * What PostgreSQL and the way to it can say, in the house's words. Whatever may pass (away, restarting, failed over, full, busy)
 * is UNAVAILABLE: the journal keeps the data and the same flush succeeds later. Whatever only a person can mend is
 * INVALID at start, naming the setting; once running it is UNAVAILABLE too, since the store was well when we opened it.
 */
import pg from 'pg';
import { DebugError } from '../../base/errors.ts';

export const SETTING = 'DEBUG_PG_URL';

/** @param starting whether a wrong setting is the likely reason  @returns DebugError UNAVAILABLE, INVALID or INTERNAL */
export function asDebugError(error: unknown, starting = false): DebugError {
  if (error instanceof DebugError) return error;
  const { code = '', message = String(error) } = error as { code?: string; message?: string };
  if (starting && isRefusal(code, message)) {
    return new DebugError('INVALID', `${SETTING}: PostgreSQL refused: ${message}`, {
      fields: [{ field: SETTING, message }],
      cause: error,
    });
  }
  const retryAfterSeconds = retryAfter(error, code, message);
  if (retryAfterSeconds === undefined) {
    return new DebugError('INTERNAL', message, { cause: error });
  }
  return new DebugError('UNAVAILABLE', `PostgreSQL is unavailable: ${message}`, { retryAfterSeconds, cause: error });
}

/** Whether the same transaction may succeed at once: it lost a race and was rolled back. */
export function lostRace(error: unknown): boolean {
  return error instanceof pg.DatabaseError && RACES.has(error.code ?? '');
}

/** SQLSTATE of what `lock_timeout` ends. */
export const LOCK_NOT_AVAILABLE = '55P03';

/** Whether a block belongs to a day that has no partition. */
export function missesPartition(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23514';
}

const RACES = new Set([
  '23505', // another process committed the same block
  '40001', // serialization failure, where a cluster's default isolation asks for it
  '40P01', // deadlock
]);

/** Seconds by SQLSTATE, or by its class of two characters. */
const RETRY_AFTER_SECONDS: Readonly<Record<string, number>> = {
  '08': 2, // connection exception
  '25006': 5, // read-only: we reached a standby, a failover is on its way
  '28': 30, // the password was changed while we ran
  '3D': 30, // the database was dropped or renamed
  '40': 1, // rolled back
  '53': 5, // out of connections or memory
  '53100': 30, // disk full
  '55P03': 1, // lock not available
  '57': 2, // shut down, starting up, statement timeout
  '58': 30, // an I/O error of the server
};

function retryAfter(error: unknown, code: string, message: string): number | undefined {
  if (error instanceof pg.DatabaseError) return RETRY_AFTER_SECONDS[code] ?? RETRY_AFTER_SECONDS[code.slice(0, 2)];
  return isConnectionTrouble(error, message) || isRefusal(code, message) ? 2 : undefined;
}

/** Socket and resolver errors come with a syscall; pg's own have nothing but their text. */
function isConnectionTrouble(error: unknown, message: string): boolean {
  return (
    (error as { syscall?: string }).syscall !== undefined ||
    error instanceof AggregateError ||
    /^(Connection terminated|timeout expired|timeout exceeded when trying|Query read timeout|Client (has encountered|was closed|network socket)|read ECONN)/.test(
      message,
    )
  );
}

function isRefusal(code: string, message: string): boolean {
  return (
    /^(28...|3D000|42501|3F000)$/.test(code) ||
    /CERT|ERR_TLS|SIGNED|ERR_INVALID_URL/.test(code) ||
    /^(SASL|Invalid URL|The server does not support SSL|unsupported|self.signed)/i.test(message)
  );
}
