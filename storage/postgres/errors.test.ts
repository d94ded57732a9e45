import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { DebugError } from '../../base/errors.ts';
import { asDebugError } from './errors.ts';

function said(code: string): Error {
  return Object.assign(new pg.DatabaseError(`SQLSTATE ${code}`, 0, 'error'), { code });
}

describe('F5 what PostgreSQL says', () => {
  it.each([
    ['connection failure', '08006'],
    ['a standby', '25006'],
    ['disk full', '53100'],
    ['too many connections', '53300'],
    ['a deadlock', '40P01'],
    ['a lock that is not to be had', '55P03'],
    ['a statement that took too long', '57014'],
    ['a shutdown', '57P01'],
    ['a server that starts', '57P03'],
    ['an I/O error', '58030'],
    ['a password that was changed while we ran', '28P01'],
    ['a database that was dropped while we ran', '3D000'],
  ])('%s may pass: unavailable, with a time to try again', (_, code) => {
    const error = asDebugError(said(code));
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.retryAfterSeconds).toBeGreaterThan(0);
  });

  it.each(['28P01', '28000', '3D000', '42501'])('%s at start is a wrong setting, named', (code) => {
    const error = asDebugError(said(code), true);
    expect(error.code).toBe('INVALID');
    expect(error.message).toContain('DEBUG_PG_URL');
    expect(error.fields).toMatchObject([{ field: 'DEBUG_PG_URL' }]);
  });

  it('a server that is only away at start is not called a wrong setting', () => {
    expect(asDebugError(said('57P03'), true).code).toBe('UNAVAILABLE');
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' });
    expect(asDebugError(refused, true).code).toBe('UNAVAILABLE');
  });

  it.each(['timeout expired', 'timeout exceeded when trying to connect', 'Query read timeout'])(
    'F1 a server that accepts and never answers is away: %s',
    (message) => expect(asDebugError(new Error(message), true).code).toBe('UNAVAILABLE'),
  );

  it('a syntax error, or anything else of our own making, is internal', () => {
    expect(asDebugError(said('42601')).code).toBe('INTERNAL');
    expect(asDebugError(new TypeError('x is undefined')).code).toBe('INTERNAL');
  });

  it('an error that has a code already keeps it', () => {
    const error = new DebugError('NOT_FOUND', 'gone');
    expect(asDebugError(error)).toBe(error);
  });
});
