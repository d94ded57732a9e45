import { describe, expect, test } from 'vitest';
import { createAuthenticate, createTokens, credentialsOf, requireScope } from './tokens.ts';

const refused = expect.objectContaining({ code: 'UNAUTHENTICATED' });
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('R35 who is let in, by bearer token or basic', () => {
  test.each(['Bearer secret', 'bearer secret', 'BEARER  second ', basic('anybody:second'), basic(':secret')])(
    '%s is',
    (header) => {
      expect(() => createAuthenticate(['secret', 'second'])(header)).not.toThrow();
    },
  );

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'secret',
    'Basic secret',
    basic('secret'),
    basic('secret:'),
    'Bearer secre',
    'Bearer secretx',
    'Bearer secret second',
    'Bearer SECRET',
    'Bearer secret, Bearer secret',
    'Bearer anybody:secret',
    'Bearer ingest:third',
  ])('%s is not', (header) => {
    expect(() => createAuthenticate(['secret', 'second', 'ingest:third'])(header)).toThrow(refused);
  });

  test('without tokens everybody is, as anybody', () => {
    const anybody = createAuthenticate([])(undefined);
    expect(anybody).toEqual({ name: 'anybody', tenant: 'default', scopes: new Set(['ingest', 'read', 'admin']) });
  });
});

describe('an entry', () => {
  test.each([
    ['plain', 'plain', 'all@default #1', 'default', ['ingest', 'read', 'admin']],
    ['ingest:one', 'one', 'ingest@default #1', 'default', ['ingest']],
    ['ingest+read@acme:a.b-c_d~e+f/g==', 'a.b-c_d~e+f/g==', 'ingest+read@acme #1', 'acme', ['ingest', 'read']],
    ['admin@x-1:root', 'root', 'admin@x-1 #1', 'x-1', ['ingest', 'read', 'admin']],
  ])('%s says who it is', (entry, token, name, tenant, scopes) => {
    expect(createAuthenticate([entry])(`Bearer ${token}`)).toEqual({ name, tenant, scopes: new Set(scopes) });
  });

  test.each([
    'has space',
    '',
    'ingest:',
    'Ingest:t0psecret',
    'all:t0psecret',
    '@acme:t0psecret',
    'read+:t0psecret',
    'read@:t0psecret',
    'read@Acme:t0psecret',
    'read@../x:t0psecret',
    'read@a@b:t0psecret',
    `read@${'a'.repeat(64)}:t0psecret`,
    'first',
    'read:first',
  ])('%s is refused by its position, never by its text', (entry) => {
    const told = expect.objectContaining({
      code: 'INVALID',
      message: expect.stringMatching(/^token 2 (?!.*t0psecret)/),
    });
    expect(() => createTokens(['first', entry])).toThrow(told);
  });
});

test('scopes are asked for by name, any of those given will do', () => {
  const authenticate = createAuthenticate(['read:r', 'admin:a']);
  expect(() => requireScope(authenticate('Bearer r'), 'read')).not.toThrow();
  expect(() => requireScope(authenticate('Bearer r'), 'ingest', 'read')).not.toThrow();
  expect(() => requireScope(authenticate('Bearer a'), 'ingest')).not.toThrow();
  expect(() => requireScope(authenticate('Bearer r'), 'admin')).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
});

test('tokens are replaced as a whole, or not at all', () => {
  const tokens = createTokens(['read@acme:old', 'also']);
  expect(tokens.tenants()).toEqual(['acme', 'default']);
  for (const wrong of [[], ['new', 'bad token']]) expect(() => tokens.replace(wrong)).toThrow();
  expect(tokens.authenticate('Bearer old').tenant).toBe('acme');
  tokens.replace(['read@acme:new']);
  expect(tokens.authenticate('Bearer new').tenant).toBe('acme');
  expect(() => tokens.authenticate('Bearer old')).toThrow(refused);
  expect(tokens.tenants()).toEqual(['acme']);
});

describe('a request', () => {
  test.each([
    [{}, undefined],
    [{ authorization: ['Bearer a'] }, 'Bearer a'],
    [{ 'x-api-key': ['a'] }, 'Bearer a'],
    [{ authorization: ['Bearer a', 'Bearer a'] }, ''],
    [{ 'x-api-key': ['a', 'b'] }, ''],
    [{ authorization: ['Bearer a'], 'x-api-key': ['a'] }, ''],
  ])('with %j says %j', (headers, said) => expect(credentialsOf(headers)).toBe(said));
});
