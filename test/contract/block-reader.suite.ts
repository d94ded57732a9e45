/** What every tier promises of reading blocks: `BlockReader` in storage/contract.ts. The suites of the stores bring it in. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attributeProbe } from '../../model/attribute-filter.ts';
import { type Block, blockKey, decodeIndex } from '../../model/block.ts';
import { textProbe } from '../../model/text-filter.ts';
import {
  type BlockReader,
  type BlockSelector,
  type FilterProbe,
  type FoundBlock,
  holds,
} from '../../storage/contract.ts';
import {
  collect,
  eventsOf,
  found as foundOf,
  type LogSpec,
  logBlock,
  MINUTE,
  NOON,
  SECOND,
  UINT64_MAX,
} from '../support/blocks.ts';

export interface BlockReaderHarness {
  reader: BlockReader;
  /** Adds blocks so that `reader` finds them. They may be of several tenants. */
  add(blocks: readonly Block[]): Promise<void>;
  drop(): Promise<void>;
  /** It keeps the records and lays their bytes out anew, so that only events can be compared. */
  relays?: boolean;
}

/** @param make a started, empty store for each test */
export function describeBlockReader(make: () => Promise<BlockReaderHarness>): void {
  describe('reads blocks', () => {
    let harness: BlockReaderHarness;
    let reader: BlockReader;

    beforeEach(async () => {
      harness = await make();
      reader = harness.reader;
    });
    afterEach(() => harness?.drop());

    async function expectSame(found: FoundBlock, block: Block): Promise<void> {
      expect(await eventsOf(found)).toEqual(await eventsOf(foundOf(block)));
      if (harness.relays) return;
      expect(Buffer.compare(found.index, block.index)).toBe(0);
      expect(Buffer.compare(await found.payload(), block.payload)).toBe(0);
    }

    const ids = async (selector: BlockSelector) => (await collect(reader.blocks(selector))).map(({ id }) => id);

    it('hands out what was put', async () => {
      const block = logBlock([
        { time: NOON, message: 'first' },
        { time: NOON + SECOND, message: 'second \0 \u{1f389}' },
      ]);
      await harness.add([block]);
      const [found, ...others] = await collect(reader.blocks({ tenant: 'default' }));
      expect(others).toEqual([]);
      expect(found).toMatchObject({ id: block.id, timeMin: NOON, timeMax: NOON + SECOND });
      await expectSame(found!, block);
    });

    it('takes a megabyte and a single byte alike', async () => {
      const block = logBlock([
        { time: NOON, message: randomText(1_000_000) },
        { time: NOON, message: 'x' },
      ]);
      await harness.add([block]);
      const [found] = await collect(reader.blocks({ tenant: 'default' }));
      await expectSame(found!, block);
    });

    it('orders by newest record, then by id, both descending', async () => {
      const blocks = [3, 1, 2, 2, 2].map((second, i) =>
        logBlock([{ time: NOON + BigInt(second) * SECOND, message: `${i}` }]),
      );
      await harness.add(blocks);
      expect(await ids({ tenant: 'default' })).toEqual(blocks.map(({ id }) => id).sort(descending));
    });

    it('hands out a block once: put twice, or found by several keys', async () => {
      const block = logBlock([{ time: NOON, correlation: 'one', operation: 'two' }]);
      await harness.add([block]);
      await harness.add([block]);
      const keys = [blockKey('correlation', 'one'), blockKey('operation', 'two'), blockKey('correlation', 'one')];
      expect(await ids({ tenant: 'default' })).toEqual([block.id]);
      expect(await ids({ tenant: 'default', keys })).toEqual([block.id]);
    });

    it('finds the errors of a component by the key of those, and may leave out its other blocks', async () => {
      const component = { type: 'service', id: 'api' };
      const failing = [0n, 2n].map((i) => logBlock([{ time: NOON + i, component, severity: 17 }]));
      const fine = logBlock([
        { time: NOON + 1n, component },
        { time: NOON + 1n, severity: 17 },
      ]);
      await harness.add([...failing, fine]);
      const [keys, besides] = [[blockKey('component', 'service', 'api')], blockKey('errors', 'service', 'api')];
      const found = await ids({ tenant: 'default', keys, besides });
      expect(found.filter((id) => id !== fine.id)).toEqual(failing.map(({ id }) => id).reverse());
      expect(await ids({ tenant: 'default', keys, besides, start: NOON + 2n })).toEqual([failing[1]!.id]);
    });

    it('leaves out at most what a filter denies', async () => {
      const blocks = Array.from({ length: 20 }, (_, i) =>
        logBlock([
          {
            time: NOON + BigInt(i),
            message: `message of number ${i}`,
            correlation: 'c',
            attributes: { n: `number-${i}` },
          },
        ]),
      );
      await harness.add(blocks);
      const probes: FilterProbe[] = [
        { texts: textProbe(['of number 11'])! },
        { attributes: attributeProbe([['n', 'number-11']])! },
        { texts: textProbe(['of number 11'])!, attributes: attributeProbe([['n', 'number-11']])! },
      ];
      for (const mayHold of probes) {
        const held = blocks.filter(({ filters }) => holds(mayHold, filters)).map(({ id }) => id);
        expect(held.length).toBeLessThan(10);
        for (const keys of [undefined, [blockKey('correlation', 'c')]]) {
          const found = await ids({ tenant: 'default', mayHold, ...(keys && { keys }) });
          expect(found).toContain(blocks[11]!.id);
          // Who keeps filters beside blocks asks all of them.
          if (found.length < blocks.length) expect(found).toEqual(held.toReversed());
        }
      }
    });

    it('hands out the same blocks where payloads may come along, however large they are', async () => {
      const blocks = Array.from({ length: 6 }, (_, i) =>
        logBlock([{ time: NOON - BigInt(i), message: randomBytes(40_000).toString('hex') }, { time: NOON }]),
      );
      await harness.add(blocks);
      const moment = { tenant: 'default', start: NOON, end: NOON };
      const payloadsOf = async (selector: BlockSelector) =>
        Promise.all((await collect(reader.blocks(selector))).map(async (one) => [one.id, await eventsOf(one)]));
      const along = await payloadsOf({ ...moment, withPayloads: true });
      expect(along).toHaveLength(blocks.length);
      expect(along).toEqual(await payloadsOf(moment));
    });

    it('finds nothing by no key and by an unknown one', async () => {
      await harness.add([logBlock([{ time: NOON, correlation: 'one' }])]);
      expect(await ids({ tenant: 'default', keys: [] })).toEqual([]);
      expect(await ids({ tenant: 'default', keys: [blockKey('correlation', 'two')] })).toEqual([]);
    });

    it('keeps tenants apart, also where they sent the very same records', async () => {
      const logs: LogSpec[] = [{ time: NOON, correlation: 'shared' }];
      const ours = logBlock(logs, { tenant: 'ours' });
      const theirs = logBlock(logs, { tenant: 'theirs' });
      expect(ours.id).toBe(theirs.id);
      await harness.add([ours, theirs]);
      for (const selector of [{}, { keys: [blockKey('correlation', 'shared')] }, { start: NOON, end: NOON }]) {
        const [found, ...others] = await collect(reader.blocks({ tenant: 'ours', ...selector }));
        expect(others).toEqual([]);
        expect(decodeIndex(found!.index).header.tenant).toBe('ours');
        expect(await ids({ tenant: 'nobody', ...selector })).toEqual([]);
      }
    });

    it('finds by a moment every block around it, however long', async () => {
      const lengths = [0n, SECOND, 30n * SECOND, 10n * MINUTE, 3n * 60n * MINUTE, 72n * 60n * MINUTE];
      const around = lengths.map((length, i) =>
        logBlock([
          { time: NOON - length, message: `start ${i}` },
          { time: NOON + length, message: `end ${i}` },
        ]),
      );
      const before = logBlock([{ time: NOON - 1n }]);
      const after = logBlock([{ time: NOON + 1n }]);
      await harness.add([before, ...around, after]);
      const expected = around.map(({ id }) => id).sort(descending);
      expect(await ids({ tenant: 'default', start: NOON, end: NOON })).toEqual(expected);
    });

    it('finds the first and the last time that OTLP can say', async () => {
      const first = logBlock([{ time: 0n }]);
      const last = logBlock([{ time: UINT64_MAX - 1n }, { time: UINT64_MAX }], { day: '2026-01-15' });
      const all = logBlock([{ time: 0n }, { time: UINT64_MAX, message: 'all' }], { day: '2026-01-15' });
      await harness.add([first, last, all]);
      expect(await ids({ tenant: 'default', start: 0n, end: 0n })).toEqual([all.id, first.id]);
      expect(await ids({ tenant: 'default', start: UINT64_MAX, end: UINT64_MAX })).toEqual(
        [all.id, last.id].sort(descending),
      );
      expect(await ids({ tenant: 'default', start: 0n, end: UINT64_MAX })).toHaveLength(3);
      expect(await ids({ tenant: 'default', start: NOON, end: NOON })).toEqual([all.id]);
      const found = await collect(reader.blocks({ tenant: 'default' }));
      expect(found.map(({ timeMax }) => timeMax)).toEqual([UINT64_MAX, UINT64_MAX, 0n]);
    });

    it('reads on from where it was while blocks are added', async () => {
      const add = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, i) => logBlock([{ time: NOON + BigInt(from + i), correlation: 'c' }]));
      const old = add(0, 300);
      await harness.add(old);
      for (const keys of [undefined, [blockKey('correlation', 'c')]]) {
        const seen: string[] = [];
        for await (const { id } of reader.blocks({ tenant: 'default', ...(keys && { keys }) })) {
          seen.push(id);
          if (seen.length % 100 === 1) await harness.add(add(1000 + seen.length, 1010 + seen.length));
        }
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen).toEqual(seen.toSorted(descending));
        expect(old.filter(({ id }) => !seen.includes(id))).toEqual([]);
      }
    });

    it('lets go when the loop is left early', async () => {
      const blocks = Array.from({ length: 200 }, (_, i) => logBlock([{ time: NOON + BigInt(i) }]));
      await harness.add(blocks);
      for (let i = 0; i < 30; i++) {
        for await (const { id } of reader.blocks({ tenant: 'default' })) {
          expect(id).toBe(blocks.at(-1)!.id);
          break;
        }
      }
      await harness.add([logBlock([{ time: NOON + 1000n }])]);
      expect(await ids({ tenant: 'default' })).toHaveLength(201);
    });

    // Forty stores' worth of requests, where the store is a bucket.
    it('answers every selector as a plain filter would', { timeout: 90_000 }, async () => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(blockShape, { minLength: 1, maxLength: 12 }),
          fc.array(selectorShape, { maxLength: 8 }),
          async (shapes, selectors) => {
            const tenant = `tenant-${run++}`;
            const blocks = shapes.map((shape, i) => shapedBlock(tenant, shape, i));
            await harness.add(blocks);
            for (const selector of selectors) {
              expect(await ids({ tenant, ...selector })).toEqual(
                blocks
                  .filter(
                    (block) =>
                      (selector.start === undefined || block.timeMax >= selector.start) &&
                      (selector.end === undefined || block.timeMin <= selector.end) &&
                      (selector.keys === undefined || selector.keys.some((key) => block.keys.includes(key))),
                  )
                  .map(({ id }) => id)
                  .sort(descending),
              );
            }
          },
        ),
        { numRuns: 40 },
      );
    });
  });
}

export function descending(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}

const CORRELATIONS = ['a', 'b', 'c', 'd'];
const offset = fc.bigInt({ min: 0n, max: 100n }).map((minutes) => NOON + minutes * MINUTE);
const blockShape = fc.record({
  end: offset,
  length: fc.constantFrom(0n, 1n, SECOND, 10n * SECOND, MINUTE, 10n * MINUTE, 60n * MINUTE, 5000n * MINUTE),
  correlations: fc.subarray(CORRELATIONS),
});
const selectorShape: fc.Arbitrary<Omit<BlockSelector, 'tenant'>> = fc
  .record({
    start: fc.option(offset, { nil: undefined }),
    end: fc.option(offset, { nil: undefined }),
    keys: fc.option(
      fc.subarray([...CORRELATIONS, 'unknown']).map((names) => names.map((name) => blockKey('correlation', name))),
      { nil: undefined },
    ),
  })
  .filter(({ start, end }) => start === undefined || end === undefined || start <= end)
  .map(({ start, end, keys }) => ({
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
    ...(keys !== undefined && { keys }),
  }));

function shapedBlock(
  tenant: string,
  shape: typeof blockShape extends fc.Arbitrary<infer T> ? T : never,
  i: number,
): Block {
  const times = [shape.end, shape.end - shape.length];
  const named = shape.correlations.map((correlation) => ({ time: shape.end, correlation, message: `${i}` }));
  return logBlock([...times.map((time) => ({ time, message: `${i}` })), ...named], { tenant });
}

/** Text that zstd cannot make small. */
function randomText(length: number): string {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return String.fromCharCode(33 + ((state >>> 24) % 90));
  };
  return Array.from({ length }, next).join('');
}
