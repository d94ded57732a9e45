import { expect, test } from 'vitest';
import type { Logger } from '../base/log.ts';
import type { Principal, Scope } from '../base/tokens.ts';
import { createAudit } from './audit.ts';

function auditOf(...scopes: Scope[]) {
  const written: unknown[] = [];
  const write = (level: string) => (fields: object, words: string) => written.push([level, words, fields]);
  const audit = createAudit({ info: write('info'), warn: write('warn') } as unknown as Logger);
  const principal: Principal = { name: 'read@acme #2', tenant: 'acme', scopes: new Set(scopes) };
  return { audit, principal, written };
}
const what = { method: 'PUT', path: '/api/debug/insights/7/resolve' };

test('a refused change is written down with who asked for what', () => {
  const { audit, principal, written } = auditOf('read');
  expect(() => audit.require(principal, 'admin', what)).toThrow(/scope admin/);
  expect(written).toEqual([['warn', 'refused on request', { principal: 'read@acme #2', tenant: 'acme', ...what }]]);
});

test('a change that was made is written down, reads and refused reads are not', () => {
  const { audit, principal, written } = auditOf('admin');
  audit.require(principal, 'admin', what);
  audit.done(principal, 'admin', what);
  audit.done(principal, 'read', what);
  expect(() => audit.require(principal, 'read', what)).toThrow();
  expect(written).toEqual([['info', 'changed on request', { principal: 'read@acme #2', tenant: 'acme', ...what }]]);
});
