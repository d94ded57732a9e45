import { describe, expect, it } from 'vitest';
import { anyValue } from './any-value.ts';

describe('anyValue', () => {
  it('keeps the structure of plain data', () => {
    const plain = { s: 'x', i: 1, f: 2.5, b: false, n: null, list: [1, 'a', { deep: [] }], empty: {} };
    expect(anyValue(plain)).toEqual(plain);
  });

  it('makes structure of what JSON cannot carry', () => {
    expect(
      anyValue({
        big: 2n ** 70n,
        at: new Date('2026-01-02T03:04:05.006Z'),
        never: new Date(Number.NaN),
        map: new Map<unknown, unknown>([[1, new Set(['a'])]]),
        bytes: new Uint8Array([1, 2]),
        url: new URL('http://a/b'),
        nan: Number.NaN,
      }),
    ).toEqual({
      big: '1180591620717411303424',
      at: '2026-01-02T03:04:05.006Z',
      never: 'Invalid Date',
      map: { 1: ['a'] },
      bytes: new Uint8Array([1, 2]),
      url: 'http://a/b',
      nan: Number.NaN,
    });
  });

  it('keeps what an error says and carries', () => {
    const error = Object.assign(new TypeError('broken'), { code: 'E1' });
    expect(anyValue({ error })).toEqual({
      error: { code: 'E1', name: 'TypeError', message: 'broken', stack: error.stack },
    });
  });

  it('leaves functions, symbols and undefined out of objects, and keeps the places of arrays', () => {
    const value = { fn: () => {}, symbol: Symbol('s'), none: undefined, list: [undefined, () => {}, 1] };
    expect(anyValue(value)).toEqual({ list: [null, null, 1] });
  });

  it('marks a cycle, and no shared value that is none', () => {
    const shared = { a: 1 };
    const loop: Record<string, unknown> = { left: shared, right: shared };
    loop.self = loop;
    expect(anyValue(loop)).toEqual({ left: { a: 1 }, right: { a: 1 }, self: '[circular]' });
  });

  it('survives a value that cannot be read', () => {
    const hostile = {
      get own() {
        throw new Error('no');
      },
    };
    expect(anyValue({ hostile, fine: 1 })).toEqual({ hostile: '[unreadable]', fine: 1 });
    expect(anyValue(Proxy.revocable({}, {}).proxy)).toEqual({});
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    expect(anyValue(revoked.proxy)).toBe('[unreadable]');
  });

  it('is bounded in depth, in number and in length', () => {
    let deep: unknown = 'bottom';
    for (let i = 0; i < 100; i++) deep = { deep };
    expect(JSON.stringify(anyValue(deep))).toContain('[too deep]');

    const wide = Array.from({ length: 20_000 }, () => ({}));
    expect(anyValue(wide)).toHaveLength(20_000);
    expect((anyValue(wide) as unknown[]).at(-1)).toBe('[too large]');

    const long = anyValue('x'.repeat(1_000_000)) as string;
    expect(long.length).toBeLessThan(70_000);
    expect(long.endsWith('[cut]')).toBe(true);
  });
});
