import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sketch } from './sketch.ts';

// From a nanosecond to nine days, in milliseconds: what the buckets cover.
const value = fc.double({ min: 1e-5, max: 7e8, noNaN: true });
const values = fc.array(fc.oneof(value, fc.constant(0)), { minLength: 1, maxLength: 200 });

describe('a sketch', () => {
  it('tells every quantile within 1% of the value at its rank', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (all, q) => {
        const sorted = all.toSorted((a, b) => a - b);
        const exact = sorted[Math.min(Math.floor(q * all.length), all.length - 1)]!;
        const told = sketchOf(all).quantile(q)!;
        expect(Math.abs(told - exact)).toBeLessThanOrEqual(0.01001 * exact);
      }),
    );
  });

  it('merged is the sketch of all values, in whatever order', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const forth = sketchOf(a);
        forth.merge(sketchOf(b));
        const back = sketchOf(b);
        back.merge(sketchOf(a));
        expect(forth.toBytes()).toEqual(sketchOf([...a, ...b]).toBytes());
        expect(back.toBytes()).toEqual(forth.toBytes());
        expect(forth.count).toBe(a.length + b.length);
      }),
    );
  });

  it('adds many behind each other as it merges them, wherever the bytes lie', () => {
    const some = fc.array(fc.oneof(values, fc.constant([])), { maxLength: 5 });
    fc.assert(
      fc.property(some, fc.nat(7), (all, offset) => {
        const each = all.map((one) => (one.length === 0 ? new Uint8Array() : sketchOf(one).toBytes()));
        const behind = each.flatMap((bytes) => {
          const length = Buffer.alloc(4);
          length.writeInt32BE(bytes.length);
          return [length, bytes];
        });
        const sum = new Sketch();
        sum.addAll(Buffer.concat([Buffer.alloc(offset), ...behind]).subarray(offset));
        expect(sum.toBytes()).toEqual(sketchOf(all.flat()).toBytes());
        expect(sum.count).toBe(all.flat().length);
      }),
    );
  });

  it('merges from bytes to bytes as it merges', () => {
    const few = fc.constantFrom(0, 0.5, 1, 80, 9_000);
    const counted = fc.array(fc.tuple(few, fc.constantFrom(-2, -1, 1, 2, 0x7fff_ffff)));
    fc.assert(
      fc.property(counted, counted, fc.nat(7), (a, b, offset) => {
        const [one, other] = [a, b].map((all) => {
          const sketch = new Sketch();
          for (const [value, times] of all) sketch.add(value, times);
          return sketch.toBytes();
        }) as [Uint8Array, Uint8Array];
        const expected = Sketch.fromBytes(one);
        expected.merge(Sketch.fromBytes(other));
        const pool = Buffer.concat([Buffer.alloc(offset, 0xff), one]);
        expect(Sketch.mergeBytes(pool.subarray(offset), other)).toEqual(expected.toBytes());
        const added = Sketch.fromBytes(other);
        added.addBytes(pool.subarray(offset));
        expect([added.toBytes(), added.count]).toEqual([expected.toBytes(), expected.count]);
      }),
    );
  });

  it('comes back from its bytes, wherever in a pool they lie', () => {
    fc.assert(
      fc.property(values, fc.nat(7), (all, offset) => {
        const bytes = sketchOf(all).toBytes();
        const pool = Buffer.concat([Buffer.alloc(offset, 0xff), bytes, Buffer.alloc(3, 0xff)]);
        const back = Sketch.fromBytes(pool.subarray(offset, offset + bytes.length));
        expect(back.toBytes()).toEqual(bytes);
        expect(back.count).toBe(all.length);
      }),
    );
  });

  it('of nothing has no quantile', () => {
    expect(new Sketch().quantile(0.5)).toBeNull();
    expect(Sketch.fromBytes(new Sketch().toBytes()).count).toBe(0);
    expect(Sketch.fromBytes(new Uint8Array(0)).count).toBe(0);
  });

  it('takes a broken clock for no time at all, and an endless one for its longest', () => {
    const sketch = sketchOf([-5, Number.NaN, 0]);
    expect(sketch.quantile(1)).toBe(0);
    sketch.add(Number.POSITIVE_INFINITY);
    expect(sketch.quantile(1)).toBeGreaterThan(7e8);
    expect(sketch.count).toBe(4);
  });

  it('counts more than its bytes can hold without turning over', () => {
    const sketch = new Sketch();
    sketch.add(10, 2 ** 31 - 1);
    sketch.add(10, 2 ** 31 - 1);
    expect(Sketch.fromBytes(sketch.toBytes()).count).toBe(2 ** 31 - 1);
  });
});

function sketchOf(all: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const one of all) sketch.add(one);
  return sketch;
}
