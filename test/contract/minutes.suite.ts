/** What every warm tier promises of minutes: how flushes add to them, and that their sums are theirs, whichever hours are counted. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Sketch } from '../../model/sketch.ts';
import { minuteOf } from '../../model/time.ts';
import { emptyFlush, type Flush, type TemplateWindow, type WarmStore } from '../../storage/contract.ts';
import { MINUTE, NOON, SECOND, UINT64_MAX } from '../support/blocks.ts';
import { componentMinute, edgeMinute, sketchOf, sorted, templateMinute } from '../support/rows.ts';
import type { RowStoreHarness } from './row-store.suite.ts';

export function describeMinutes(make: () => Promise<RowStoreHarness>): void {
  let harness: RowStoreHarness;
  let store: WarmStore;

  beforeEach(async () => {
    harness = await make();
    store = await harness.open();
  });

  const commit = (parts: Partial<Flush>) => store.commit({ ...emptyFlush('default'), ...parts });
  const HOUR = 60n * MINUTE;
  const ALL = { start: 0n, end: UINT64_MAX };

  describe('component minutes', () => {
    it('are summed and their sketches merged, within a flush and between flushes', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(fc.nat(10_000), { maxLength: 5 }), { minLength: 1, maxLength: 6 }),
          fc.uuid(),
          async (parts, tenant) => {
            const minutes = parts.map((latencies) =>
              componentMinute({ total: latencies.length, errors: 1, critical: 2, latency: sketchOf(latencies) }),
            );
            const half = minutes.length >> 1;
            await commit({ tenant, componentMinutes: minutes.slice(0, half) });
            await commit({ tenant, componentMinutes: minutes.slice(half) });
            const [sum, ...others] = await store.componentMinutes(tenant, ALL);
            expect(others).toEqual([]);
            expect(sum).toMatchObject({
              minute: minuteOf(NOON),
              component_type: 'service',
              component_id: 'checkout',
              total: parts.flat().length,
              errors: parts.length,
              critical: 2 * parts.length,
            });
            expect(sum!.latency.toBytes()).toEqual(sketchOf(parts.flat()).toBytes());
          },
        ),
        { numRuns: 25 },
      );
    });

    it('add up to one row a component, of a range with both ends', async () => {
      const at = (minute: number, component_id: string, total: number) =>
        componentMinute({ minute: NOON + BigInt(minute) * MINUTE, component_id, total, errors: 1, critical: 0 });
      await commit({
        componentMinutes: [at(0, 'a', 100), at(1, 'a', 2), at(2, 'a', 3), at(2, 'b', 5), at(3, 'b', 100)],
      });
      const range = { start: NOON + MINUTE, end: NOON + 2n * MINUTE };
      const sums = await store.componentSums('default', range);
      expect(sums.toSorted((a, b) => (a.component_id < b.component_id ? -1 : 1))).toEqual([
        { component_type: 'service', component_id: 'a', total: 5, errors: 2, critical: 0, untold: 2 },
        { component_type: 'service', component_id: 'b', total: 5, errors: 1, critical: 0, untold: 1 },
      ]);
      expect(
        await store.componentSums('default', { ...range, component_type: 'service', component_id: 'b' }),
      ).toHaveLength(1);
      expect(await store.componentSums('another', range)).toEqual([]);
    });

    it('know how many of their errors are untold as long as each part of them does', async () => {
      const part = (untold?: number) => componentMinute({ errors: 2, ...(untold !== undefined && { untold }) });
      const untold = async (tenant: string) => (await store.componentMinutes(tenant, ALL))[0]!.untold;
      await commit({ tenant: 'known', componentMinutes: [part(1), part(0)] });
      await commit({ tenant: 'known', componentMinutes: [part(1)] });
      expect(await untold('known')).toBe(2);
      await commit({ tenant: 'in one', componentMinutes: [part(1), part()] });
      expect(await untold('in one')).toBeUndefined();
      await commit({ tenant: 'known', componentMinutes: [part()] });
      expect(await untold('known')).toBeUndefined();
    });

    it('come ascending, of a range with both ends, of one component when asked', async () => {
      const at = (minute: number, component_id: string, component_type = 'service') =>
        componentMinute({ minute: NOON + BigInt(minute) * MINUTE, component_id, component_type });
      await commit({
        componentMinutes: [at(3, 'b'), at(1, 'a'), at(2, 'b'), at(2, 'a'), at(2, 'a', 'agent'), at(0, 'a')],
      });
      const read = async (range: { start?: number; end?: number; component_type?: string; component_id?: string }) =>
        (
          await store.componentMinutes('default', {
            ...range,
            start: NOON + BigInt(range.start ?? 0) * MINUTE,
            end: NOON + BigInt(range.end ?? 9) * MINUTE,
          })
        ).map(
          ({ minute, component_type, component_id }) => `${(minute - NOON) / MINUTE} ${component_type} ${component_id}`,
        );
      const everything = await read({});
      expect(everything.map((line) => line[0])).toEqual(['0', '1', '2', '2', '2', '3']);
      expect((await read({ start: 1, end: 2 })).sort()).toEqual([
        '1 service a',
        '2 agent a',
        '2 service a',
        '2 service b',
      ]);
      expect(await read({ component_type: 'service', component_id: 'a' })).toEqual([
        '0 service a',
        '1 service a',
        '2 service a',
      ]);
      expect(await read({ component_type: 'agent' })).toEqual(['2 agent a']);
      expect(await read({ component_id: 'b', end: 2 })).toEqual(['2 service b']);
      expect(await store.componentMinutes('another', ALL)).toEqual([]);
    });
  });

  describe('edge minutes', () => {
    it('are added up within a flush and between flushes, and what is taken back whole is gone', async () => {
      const peer = edgeMinute({ kind: 'peer', to_id: 'db', calls: 2, errors: 1, latency: sketchOf([5, 7]) });
      await commit({
        edgeMinutes: [edgeMinute({ latency: sketchOf([10]) }), edgeMinute({ latency: sketchOf([20]) }), peer],
      });
      const taken = new Sketch();
      taken.add(7, -1);
      await commit({ edgeMinutes: [{ ...peer, calls: -1, errors: 0, latency: taken }] });
      const byKind = async () =>
        Object.fromEntries((await store.edgeMinutes('default', ALL)).map((row) => [row.kind, row]));
      const both = await byKind();
      expect(both.call).toMatchObject({ from_id: 'shop', to_id: 'stock', calls: 2, errors: 0, minute: minuteOf(NOON) });
      expect(both.call!.latency.toBytes()).toEqual(sketchOf([10, 20]).toBytes());
      expect(both.peer).toMatchObject({ calls: 1, errors: 1 });
      expect(both.peer!.latency.toBytes()).toEqual(sketchOf([5]).toBytes());
      const rest = new Sketch();
      rest.add(5, -1);
      await commit({ edgeMinutes: [{ ...peer, calls: -1, errors: -1, latency: rest }] });
      expect(Object.keys(await byKind())).toEqual(['call']);
    });

    it('come ascending, of a range with both ends, of one tenant', async () => {
      const at = (minute: number) => edgeMinute({ minute: NOON + BigInt(minute) * MINUTE });
      await commit({ edgeMinutes: [at(3), at(1), at(2), at(0)] });
      const range = { start: NOON + MINUTE, end: NOON + 2n * MINUTE };
      expect((await store.edgeMinutes('default', range)).map(({ minute }) => minute)).toEqual([range.start, range.end]);
      expect(await store.edgeMinutes('another', ALL)).toEqual([]);
    });
  });

  describe('template minutes', () => {
    it('are summed and widened, and keep the newest example, whatever the order', async () => {
      const early = templateMinute({
        count: 2,
        severity_max: 17,
        first_time: NOON + SECOND,
        last_time: NOON + 2n * SECOND,
        example_event_id: 'b'.repeat(32),
      });
      const late = templateMinute({
        count: 3,
        severity_max: 9,
        first_time: NOON,
        last_time: NOON + 5n * SECOND,
        example_event_id: 'c'.repeat(32),
      });
      const sum = { ...late, count: 5, severity_max: 17 };
      await commit({ tenant: 'forth', templateMinutes: [early, late] });
      await commit({ tenant: 'back', templateMinutes: [late] });
      await commit({ tenant: 'back', templateMinutes: [early] });
      expect(await store.templateMinutes('forth', ALL)).toEqual([sum]);
      expect(await store.templateMinutes('back', ALL)).toEqual([sum]);
    });

    it('come without those that have no error where that is asked', async () => {
      const at = (minute: number, severity_max: number) =>
        templateMinute({ minute: NOON + BigInt(minute) * MINUTE, severity_max });
      await commit({ templateMinutes: [at(0, 16), at(1, 17), at(2, 21), at(3, 0)] });
      const found = await store.templateMinutes('default', { ...ALL, errors: true });
      expect(found.map(({ severity_max }) => severity_max)).toEqual([17, 21]);
    });

    it('come ascending, by template and by component when asked', async () => {
      const at = (minute: number, template_id: string, component_id = 'checkout') =>
        templateMinute({ minute: NOON + BigInt(minute) * MINUTE, template_id, component_id });
      const minutes = [at(0, 't1'), at(1, 't2'), at(2, 't1'), at(3, 't1', 'cart')];
      await commit({ templateMinutes: minutes.toReversed() });
      const read = (more: object) =>
        store.templateMinutes('default', { start: NOON, end: NOON + 9n * MINUTE, ...more });
      expect(await read({})).toEqual(minutes);
      expect(await read({ template_id: 't1' })).toEqual([minutes[0], minutes[2], minutes[3]]);
      expect(await read({ template_id: 't1', component_id: 'cart', component_type: 'service' })).toEqual([minutes[3]]);
      expect(await read({ component_id: 'checkout' })).toEqual(minutes.slice(0, 3));
      expect(await read({ start: NOON + MINUTE, end: NOON + 2n * MINUTE })).toEqual(minutes.slice(1, 3));
    });
  });

  describe('sums over minutes', () => {
    type Brought = Pick<Flush, 'componentMinutes' | 'templateMinutes' | 'edgeMinutes'>;
    const at = fc.integer({ min: -100, max: 100 }).map((minute) => NOON + BigInt(minute) * MINUTE);
    const count = fc.integer({ min: 1, max: 9 });
    const component_id = fc.constantFrom('checkout', 'cart');
    const brought = fc.record({
      componentMinutes: fc.array(
        fc
          .record({
            minute: at,
            component_id,
            total: count,
            errors: count,
            critical: count,
            untold: fc.option(fc.nat(3)),
          })
          .map(({ untold, ...row }) => componentMinute({ ...row, ...(untold !== null && { untold }) })),
        { maxLength: 8 },
      ),
      templateMinutes: fc.array(
        fc
          .record({
            minute: at,
            template_id: fc.constantFrom('00000000000000aa', '00000000000000bb'),
            component_id,
            count,
            severity_max: fc.constantFrom(9, 17, 21),
            offset: fc.bigInt({ min: 0n, max: MINUTE - 1n }),
          })
          .map(({ offset, ...row }) =>
            templateMinute({
              ...{ ...row, first_time: row.minute + offset / 2n, last_time: row.minute + offset },
              example_event_id: offset.toString(16).padStart(32, '0'),
            }),
          ),
        { maxLength: 8 },
      ),
      // Some are taken back.
      edgeMinutes: fc.array(
        fc
          .record({ minute: at, to_id: fc.constantFrom('stock', 'bank'), calls: fc.integer({ min: -2, max: 5 }) })
          .map((row) => edgeMinute({ ...row, errors: row.calls, latency: sketchOf([row.calls + 3, 40]) })),
        { maxLength: 8 },
      ),
    });
    const counts = fc.record({ before: fc.integer({ min: -60, max: 240 }), limit: count });
    const asked = fc.record({
      start: fc.tuple(at, fc.bigInt({ min: 0n, max: MINUTE - 1n })).map(([minute, into]) => minute - HOUR + into),
      length: fc.bigInt({ min: 0n, max: 5n * HOUR }),
      middle: at,
      errors: fc.boolean(),
    });

    /** The same from the minutes one by one. */
    async function expected(tenant: string, { start, end, middle, errors }: TemplateWindow) {
      const range = { start: minuteOf(start), end };
      const components = groups(await store.componentMinutes(tenant, range), (row) => row.component_id);
      const minutes = await store.templateMinutes(tenant, { ...range, ...(errors && { errors }) });
      const within = minutes.filter((row) => row.last_time >= start && row.first_time <= end);
      const templates = groups(within, (row) => `${row.template_id} ${row.component_id}`);
      const seen = (await store.templateMinutes(tenant, range)).filter(({ first_time }) => first_time < end);
      const edges = groups(await store.edgeMinutes(tenant, range), ({ to_id }) => to_id);
      return {
        components: components.map((rows) => ({
          ...{ component_type: 'service', component_id: rows[0]!.component_id },
          ...{ total: sum(rows, 'total'), errors: sum(rows, 'errors'), critical: sum(rows, 'critical') },
          untold: rows.reduce((sum, { untold, errors }) => sum + (untold ?? errors), 0),
        })),
        templates: templates.map((rows) => ({
          ...{ template_id: rows[0]!.template_id, component_type: 'service', component_id: rows[0]!.component_id },
          count: sum(rows, 'count'),
          earlier: sum(
            rows.filter(({ minute }) => minute < middle),
            'count',
          ),
          severity_max: Math.max(...rows.map((row) => row.severity_max)),
          first_time: rows.map((row) => row.first_time).reduce((a, b) => (a < b ? a : b)),
          last_time: rows.map((row) => row.last_time).reduce((a, b) => (a > b ? a : b)),
          example_event_id: rows
            .map((row) => row.example_event_id)
            .sort()
            .at(-1),
        })),
        seen: [...new Set(seen.map(({ template_id }) => template_id))],
        edges: edges.map((rows) => {
          const latency = new Sketch();
          for (const row of rows) latency.merge(row.latency);
          return {
            to_id: rows[0]!.to_id,
            calls: sum(rows, 'calls'),
            errors: sum(rows, 'errors'),
            latency: latency.toBytes(),
          };
        }),
      };
    }

    async function summed(tenant: string, window: TemplateWindow) {
      const { start, end } = window;
      const range = { start: minuteOf(start), end };
      const ids = ['00000000000000aa', '00000000000000bb', 'nowhere'];
      return {
        components: await store.componentSums(tenant, range),
        templates: await store.templateSums(tenant, window),
        seen: await store.templatesSeen(tenant, ids, { start, end }),
        edges: (await store.edgeSums(tenant, range)).map(({ to_id, calls, errors, latency }) => {
          return { to_id, calls, errors, latency: latency.toBytes() };
        }),
      };
    }

    it('are those of the minutes one by one, whichever hours are counted, and whatever comes to those later', async () => {
      let tenants = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof(brought, counts), { maxLength: 8 }),
          fc.array(asked, { minLength: 1, maxLength: 4 }),
          async (steps, windows) => {
            const tenant = `hours-${++tenants}`;
            for (const step of steps) {
              if ('before' in step) {
                const { before, limit } = step;
                const counted = await store.countHours(tenant, { before: NOON + BigInt(before) * MINUTE, limit });
                expect(counted).toBeLessThanOrEqual(limit);
              } else {
                await commit({ tenant, ...(step as Brought) });
              }
              for (const { start, length, middle, errors } of windows) {
                const window = { start, end: start + length, middle, ...(errors && { errors }) };
                const minutes = await expected(tenant, window);
                expect(sortedEach(await summed(tenant, window))).toEqual(sortedEach(minutes));
                // Of one component the minutes are found by another index.
                const one = { component_type: 'service', component_id: 'cart' };
                expect(await store.componentSums(tenant, { ...one, start: minuteOf(start), end: window.end })).toEqual(
                  minutes.components.filter(({ component_id }) => component_id === 'cart'),
                );
              }
            }
          },
        ),
        { numRuns: 20 },
      );
    });

    it('have of an hour that is counted what lies in the window, on its side of the middle', async () => {
      const last = NOON + 59n * MINUTE;
      await commit({
        componentMinutes: [componentMinute({ minute: NOON }), componentMinute({ minute: last })],
        templateMinutes: [
          templateMinute({ minute: NOON, count: 1, first_time: NOON, last_time: NOON + SECOND }),
          templateMinute({ minute: last, count: 10, first_time: last + 50n * SECOND, last_time: last + 55n * SECOND }),
        ],
      });
      expect(await store.countHours('default', { before: NOON + HOUR, limit: 1 })).toBe(1);
      const sums = async (window: Partial<TemplateWindow>) => {
        const whole = { start: NOON, end: NOON + HOUR - 1n, middle: NOON };
        return (await store.templateSums('default', { ...whole, ...window })).map(({ count, earlier }) => [
          count,
          earlier,
        ]);
      };
      expect(await sums({})).toEqual([[11, 0]]);
      expect(await sums({ start: NOON + SECOND })).toEqual([[11, 0]]);
      expect(await sums({ start: NOON + SECOND + 1n })).toEqual([[10, 0]]);
      expect(await sums({ end: last + 50n * SECOND })).toEqual([[11, 0]]);
      expect(await sums({ end: last + 50n * SECOND - 1n })).toEqual([[1, 0]]);
      expect(await sums({ middle: NOON + 1n })).toEqual([[11, 1]]);
      expect(await sums({ middle: last })).toEqual([[11, 1]]);
      expect(await sums({ middle: last + 1n })).toEqual([[11, 11]]);
      const seen = (start: bigint, end: bigint) =>
        store.templatesSeen('default', [templateMinute().template_id], { start, end });
      expect(await seen(NOON + MINUTE, last + 50n * SECOND)).toEqual([]);
      expect(await seen(NOON + MINUTE, last + 50n * SECOND + 1n)).toHaveLength(1);
    });

    it('come all the same when an hour is counted again; one that has not ended is not counted', async () => {
      await commit({ componentMinutes: [componentMinute({ minute: NOON, total: 3 })] });
      const count = (before: bigint) => store.countHours('default', { before, limit: 100 });
      expect(await count(NOON + HOUR - 1n)).toBe(0);
      expect(await count(NOON + HOUR)).toBeGreaterThan(0);
      expect(await count(NOON + HOUR)).toBe(0);
      await commit({ componentMinutes: [componentMinute({ minute: NOON + MINUTE, total: 4 })] });
      const total = async () =>
        (await store.componentSums('default', { start: NOON, end: NOON + HOUR - 1n }))[0]!.total;
      expect(await total()).toBe(7);
      expect(await count(NOON + HOUR)).toBe(1);
      expect(await total()).toBe(7);
    });

    it('have all that two processes commit to an hour while both count it', async () => {
      const both = [store, await harness.open()];
      const before = NOON + 2n * HOUR;
      const flushOf = (i: number): Brought => {
        const minutes = [i, 50 + 5 * i].map((minute) => NOON + BigInt(minute) * MINUTE);
        return {
          componentMinutes: minutes.map((minute) => componentMinute({ minute, total: 1 })),
          templateMinutes: minutes.map((minute) =>
            templateMinute({ minute, count: 1, first_time: minute, last_time: minute }),
          ),
          // Of a flush that takes back what an earlier one counted, edges alone may lie in an hour.
          edgeMinutes: minutes.map((minute) => edgeMinute({ minute, calls: 1 })),
        };
      };
      for (let round = 1; round <= 10; round++) {
        await Promise.all([
          ...Array.from({ length: 6 }, (_, i) =>
            both[i % 2]!.commit({ ...emptyFlush('default'), ...flushOf(i), ...(i === 5 && { componentMinutes: [] }) }),
          ),
          ...both.map((one) => one.countHours('default', { before, limit: 3 })),
        ]);
        const range = { start: NOON, end: before };
        expect((await store.componentSums('default', range))[0]!.total).toBe(10 * round);
        expect((await store.templateSums('default', { ...range, middle: NOON }))[0]!.count).toBe(12 * round);
        expect((await store.edgeSums('default', range))[0]!.calls).toBe(12 * round);
      }
    });
  });
}

/** In an order that does not matter. */
function groups<T>(rows: readonly T[], by: (row: T) => string): T[][] {
  return [...Map.groupBy(rows, by).values()];
}

function sum<Name extends string>(rows: readonly Record<Name, number>[], name: Name): number {
  return rows.reduce((sum, row) => sum + row[name], 0);
}

function sortedEach(families: Record<string, readonly unknown[]>): Record<string, unknown[]> {
  return Object.fromEntries(Object.entries(families).map(([name, rows]) => [name, sorted(rows)]));
}
