/** What every warm tier promises of its ordinary rows: `RowStore` in storage/contract.ts, and how a commit changes them. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Insight } from '../../model/insight.ts';
import type { Json } from '../../model/json.ts';
import type { Resource } from '../../model/resource.ts';
import type { ComponentMinute, EdgeMinute, TemplateMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import type { Session, Snapshot } from '../../model/snapshot.ts';
import { formatNanos, minuteOf } from '../../model/time.ts';
import {
  emptyFlush,
  type Flush,
  type InsightQuery,
  type TemplateWindow,
  type WarmStore,
} from '../../storage/contract.ts';
import { rowText, rowTime } from '../../storage/text.ts';
import { MINUTE, NOON, SECOND, UINT64_MAX } from '../support/blocks.ts';

export interface RowStoreHarness {
  /** A started store, the suite's to use but not to stop; opened again, the same data in another process. */
  open(): Promise<WarmStore>;
}

export function describeRowStore(make: () => Promise<RowStoreHarness>): void {
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

  it('templates are kept by id', async () => {
    const known = { id: '00000000000000aa', text: 'user <num> logged in' };
    const other = { id: '00000000000000bb', text: 'user <num> left' };
    await commit({ templates: [known, other, known] });
    await commit({ templates: [known] });
    expect(await store.templates('default', [])).toEqual([]);
    expect(await store.templates('default', [known.id, known.id, '00000000000000cc'])).toEqual([known]);
    expect((await store.templates('default', [other.id, known.id])).map(({ id }) => id).sort()).toEqual([
      known.id,
      other.id,
    ]);
    expect(await store.templates('another', [known.id])).toEqual([]);
  });

  it('a template that became part of another stays that, in whatever order its rows come', async () => {
    const known = { id: '00000000000000aa', text: 'user ann left' };
    const merged = { id: known.id, text: 'user <*> left', merged: true } as const;
    await commit({ templates: [merged, known, merged] });
    await commit({ templates: [known] });
    expect(await store.templates('default', [known.id])).toEqual([{ id: known.id, text: merged.text }]);
    await commit({ templates: [{ ...merged, text: '<*> <*> left' }] });
    expect(await store.templates('default', [known.id])).toEqual([{ id: known.id, text: '<*> <*> left' }]);
  });

  describe('resources', () => {
    const all = (tenant = 'default') => store.resources(tenant, { ...ALL, limit: 100 });

    it('are widened and never narrowed, in whatever order they come, however often, by two processes at once', async () => {
      const spoke = fc.record({
        hash: fc.constantFrom('a'.repeat(16), 'b'.repeat(16)),
        component_id: fc.constantFrom('checkout', 'cart'),
        first: fc.nat(20),
        length: fc.nat(10),
        again: fc.boolean(),
      });
      const both = [store, await harness.open()];
      let tenants = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(spoke, { maxLength: 4 }), { maxLength: 6 }), async (flushes) => {
          const tenant = `resources ${++tenants}`;
          const rowsOf = (flush: (typeof flushes)[number]) =>
            flush.map(({ hash, component_id, first, length }) =>
              resource({
                hash,
                component_id,
                first_time: NOON + BigInt(first),
                last_time: NOON + BigInt(first + length),
              }),
            );
          await Promise.all(
            flushes.flatMap((flush, i) =>
              [both[i % 2]!, ...(flush[0]?.again ? both : [])].map((one) =>
                one.commit({ ...emptyFlush(tenant), resources: rowsOf(flush) }),
              ),
            ),
          );
          const groups = Map.groupBy(rowsOf(flushes.flat()), (row) => `${row.hash} ${row.component_id}`);
          const expected = [...groups.values()].map((rows) => ({
            ...rows[0],
            first_time: rows.map((row) => row.first_time).reduce((a, b) => (a < b ? a : b)),
            last_time: rows.map((row) => row.last_time).reduce((a, b) => (a > b ? a : b)),
          }));
          expect(sorted(await all(tenant))).toEqual(sorted(expected));
        }),
        { numRuns: 20 },
      );
    });

    it('come of those that spoke within both ends, the last first, of one component or type when asked', async () => {
      const at = (first: number, last: number, more: Partial<Resource> = {}) =>
        resource({ first_time: NOON + BigInt(first), last_time: NOON + BigInt(last), ...more });
      const rows = [
        at(5, 9, { hash: '1'.repeat(16) }),
        at(5, 7, { hash: '2'.repeat(16), component_id: 'cart' }),
        at(2, 4, { hash: '3'.repeat(16), component_type: 'agent' }),
      ];
      await commit({ resources: rows.toReversed() });
      const read = (start: number, end: number, more: { component_type?: string; component_id?: string } = {}) =>
        store.resources('default', { start: NOON + BigInt(start), end: NOON + BigInt(end), limit: 9, ...more });
      expect(await read(0, 9)).toEqual(rows);
      expect(await read(4, 5)).toEqual(rows);
      expect(await read(5, 5)).toEqual(rows.slice(0, 2));
      expect(await read(8, 8)).toEqual([rows[0]]);
      expect(await read(0, 1)).toEqual([]);
      expect(await read(10, 99)).toEqual([]);
      expect(await read(0, 9, { component_type: 'service', component_id: 'cart' })).toEqual([rows[1]]);
      expect(await read(0, 9, { component_type: 'agent' })).toEqual([rows[2]]);
      expect(await read(0, 9, { component_id: 'checkout' })).toEqual([rows[0], rows[2]]);
      expect(await store.resources('default', { ...ALL, limit: 1 })).toEqual([rows[0]]);
      expect(await all('another')).toEqual([]);
    });

    it('keep what they say of themselves, whatever it is', async () => {
      const attributes = JSON.parse(
        '{"__proto__": {"a": 1}, "9": "\\u0000 \\ud800", "list": [1.5, null, {"b": true}], "": ""}',
      );
      await commit({ resources: [resource({ attributes, component_id: "o'brien \ud800" })] });
      const [found] = await store.resources('default', {
        ...ALL,
        limit: 9,
        component_type: 'service',
        component_id: "o'brien \ud800",
      });
      expect(JSON.stringify(found!.attributes)).toBe(JSON.stringify(attributes));
    });

    it('leave with retention by their last time, not by their first', async () => {
      const now = BigInt(Date.now()) * 1_000_000n;
      const day = 24n * HOUR;
      const rows = [
        resource({ hash: '1'.repeat(16), first_time: now - 30n * day, last_time: now }),
        resource({ hash: '2'.repeat(16), first_time: now - 6n * day, last_time: now - 5n * day }),
      ];
      await commit({ resources: rows });
      await store.prune(now - 7n * day, []);
      expect(await all()).toEqual(rows);
      await store.prune(now - 3n * day, []);
      expect(await all()).toEqual([rows[0]]);
    });
  });

  describe('trace correlations', () => {
    const trace = (digit: string) => digit.repeat(32);

    it('keep the smallest time, then the smallest text by code point, in whatever order they come', async () => {
      const said = [
        { trace_id: trace('a'), correlation_id: 'first', time: NOON },
        { trace_id: trace('a'), correlation_id: 'later', time: NOON + 1n },
        { trace_id: trace('b'), correlation_id: 'Beta', time: NOON },
        { trace_id: trace('b'), correlation_id: 'alpha', time: NOON },
      ];
      const kept = [said[0], said[2]];
      await commit({ tenant: 'forth', traceCorrelations: said });
      await commit({ tenant: 'back', traceCorrelations: said.toReversed() });
      for (const one of said) await commit({ tenant: 'apart', traceCorrelations: [one] });
      for (const one of said.toReversed()) await commit({ tenant: 'apart back', traceCorrelations: [one] });
      for (const tenant of ['forth', 'back', 'apart', 'apart back']) {
        const known = await store.traceCorrelations(tenant, { traces: [trace('a'), trace('b'), trace('c')] });
        expect(known.sort((x, y) => (x.trace_id < y.trace_id ? -1 : 1))).toEqual(kept);
        expect(await store.traceCorrelations(tenant, { correlations: ['later', 'alpha'] })).toEqual([]);
      }
    });

    it('are found by trace and by correlation, each once', async () => {
      const said = ['a', 'b', 'c', 'd'].map((digit, i) => ({
        trace_id: trace(digit),
        correlation_id: i < 2 ? 'one' : 'two',
        time: NOON,
      }));
      await commit({ traceCorrelations: said });
      const known = async (about: { traces?: string[]; correlations?: string[] }, tenant = 'default') =>
        (await store.traceCorrelations(tenant, about)).map(({ trace_id }) => trace_id[0]).sort();
      expect(await known({})).toEqual([]);
      expect(await known({ traces: [], correlations: [] })).toEqual([]);
      expect(await known({ traces: [trace('a'), trace('a')] })).toEqual(['a']);
      expect(await known({ correlations: ['one'] })).toEqual(['a', 'b']);
      expect(await known({ traces: [trace('a'), trace('c')], correlations: ['one', 'one'] })).toEqual(['a', 'b', 'c']);
      expect(await known({ correlations: ['one'] }, 'another')).toEqual([]);
    });

    it('are many at once', async () => {
      const said = Array.from({ length: 3000 }, (_, i) => ({
        trace_id: i.toString(16).padStart(32, '0'),
        correlation_id: 'session',
        time: NOON,
      }));
      await commit({ traceCorrelations: said });
      expect(await store.traceCorrelations('default', { correlations: ['session'] })).toHaveLength(3000);
      const traces = said.map(({ trace_id }) => trace_id);
      expect(await store.traceCorrelations('default', { traces })).toHaveLength(3000);
    });

    it('take times of either end', async () => {
      const said = [
        { trace_id: trace('a'), correlation_id: 'one', time: 0n },
        { trace_id: trace('b'), correlation_id: 'two', time: UINT64_MAX },
      ];
      await commit({ traceCorrelations: said });
      await commit({ traceCorrelations: [{ trace_id: trace('b'), correlation_id: 'three', time: NOON }] });
      const known = await store.traceCorrelations('default', { traces: [trace('a'), trace('b')] });
      expect(known.map(({ correlation_id }) => correlation_id).sort()).toEqual(['one', 'three']);
    });
  });

  describe('snapshots', () => {
    it('come newest first, then by id, as many as asked', async () => {
      const all = [
        snapshot({ id: '3'.repeat(32), time: NOON + SECOND }),
        snapshot({ id: '2'.repeat(32), time: NOON }),
        snapshot({ id: '1'.repeat(32), time: NOON }),
      ];
      await commit({ snapshots: all.toReversed() });
      expect(await store.snapshots('default', { limit: 10 })).toEqual(all);
      expect(await store.snapshots('default', { limit: 2 })).toEqual(all.slice(0, 2));
      expect(await store.snapshots('default', { start: NOON, end: NOON, limit: 10 })).toEqual(all.slice(1));
      expect(await store.snapshots('another', { limit: 10 })).toEqual([]);
    });

    it('narrow by every field, alone and together', async () => {
      const plain = snapshot({
        id: 'f'.repeat(32),
        node_id: null,
        operation_id: null,
        correlation_id: null,
        checkpoint_name: null,
      });
      const odd = SNAPSHOT_TEXTS.map((field, i) => snapshot({ id: `${i}`.repeat(32), [field]: 'odd one' }));
      await commit({ snapshots: [plain, ...odd] });
      for (const [i, field] of SNAPSHOT_TEXTS.entries()) {
        expect(await store.snapshots('default', { [field]: 'odd one', limit: 10 })).toEqual([odd[i]]);
        expect(await store.snapshots('default', { [field]: 'odd', limit: 10 })).toEqual([]);
      }
      const both = { component_id: 'checkout', operation_id: 'odd one', start: NOON, end: NOON, limit: 1 };
      expect(await store.snapshots('default', both)).toEqual([odd[3]]);
    });

    it('are kept by id', async () => {
      await commit({ snapshots: [snapshot()] });
      await commit({ snapshots: [snapshot(), snapshot()] });
      expect(await store.snapshots('default', { limit: 10 })).toEqual([snapshot()]);
    });

    it('keep their state whole, whatever it holds, and clip their time', async () => {
      const all = STATES.map((value, i) =>
        snapshot({ id: `${i}`.padStart(32, '0'), time: i % 2 === 0 ? UINT64_MAX : 0n, state_data: { value } }),
      );
      await commit({ snapshots: all });
      const read = await store.snapshots('default', { limit: 100 });
      expect(read.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
        all.map((one) => ({ ...one, time: rowTime(one.time) })),
      );
    });
  });

  describe('insights', () => {
    it('are read, changed and stored as one step, against every process', async () => {
      const other = await harness.open();
      const more = (current: Insight | null) => ({
        ...(current ?? insight()),
        occurrences: (current?.occurrences ?? 0) + 1,
      });
      await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          (i % 2 === 0 ? store : other).changeInsight('default', insight().id, more),
        ),
      );
      expect((await other.insight('default', insight().id))!.occurrences).toBe(20);
    });

    it('are left alone where the change answers null', async () => {
      expect(await store.changeInsight('default', insight().id, () => null)).toBeNull();
      expect(await store.insight('default', insight().id)).toBeNull();
      expect(await store.changeInsight('default', insight().id, () => insight())).toEqual(insight());
      expect(await store.changeInsight('default', insight().id, () => null)).toBeNull();
      expect(await store.insight('default', insight().id)).toEqual(insight());
      expect(await store.insight('another', insight().id)).toBeNull();
    });

    it('are left alone where the change throws', async () => {
      await store.changeInsight('default', insight().id, () => insight());
      const broken = store.changeInsight('default', insight().id, () => {
        throw new Error('broken on purpose');
      });
      await expect(broken).rejects.toThrow('broken on purpose');
      expect(await store.insight('default', insight().id)).toEqual(insight());
      await store.changeInsight('default', insight().id, (current) => ({ ...current!, occurrences: 9 }));
      expect((await store.insight('default', insight().id))!.occurrences).toBe(9);
    });

    it('narrow by every field, as they are now', async () => {
      const odd: [Partial<InsightQuery>, Partial<Insight>][] = [
        [{ insight_type: 'anomaly' }, { insight_type: 'anomaly' }],
        [{ severity: 'critical' }, { severity: 'critical' }],
        [{ scope: 'system' }, { scope: 'system' }],
        [{ states: ['resolved', 'ignored'] }, { state: 'resolved' }],
        [{ correlation_id: 'odd' }, { correlation_id: 'odd' }],
        [{ operation_id: 'odd' }, { operation_id: 'odd' }],
        [
          { component_id: 'odd' },
          {
            affected_components: [
              { type: 'agent', id: 'a' },
              { type: 'service', id: 'odd' },
            ],
          },
        ],
        [
          { component_type: 'odd', component_id: 'a' },
          {
            affected_components: [
              { type: 'odd', id: 'a' },
              { type: 'odd', id: 'b' },
            ],
          },
        ],
        [
          { component_type: 'strange' },
          {
            affected_components: [
              { type: 'strange', id: 'a' },
              { type: 'strange', id: 'b' },
            ],
          },
        ],
        [{ start: NOON + 10n * SECOND, end: NOON + 10n * SECOND }, { last_seen: formatNanos(NOON + 10n * SECOND) }],
        [{ changed_since: formatNanos(NOON) }, { updated_at: formatNanos(NOON + 1n) }],
      ];
      const put = (one: Insight) => store.changeInsight('default', one.id, () => one);
      await put(insight({ id: 'f'.repeat(32) }));
      for (const [i, [query, fields]] of odd.entries()) {
        const one = insight({ id: i.toString(16).repeat(32), ...fields });
        await put(insight({ id: one.id }));
        expect(await store.insights('default', { ...query, limit: 10 })).toEqual([]);
        await put(one);
        expect(await store.insights('default', { ...query, limit: 10 })).toEqual([one]);
        expect(await store.insights('another', { ...query, limit: 10 })).toEqual([]);
        await put(insight({ id: one.id }));
        expect(await store.insights('default', { ...query, limit: 10 })).toEqual([]);
      }
      expect(await store.insights('default', { states: [], limit: 10 })).toEqual([]);
      // Type and id are asked of one and the same component.
      await put(
        insight({
          id: 'e'.repeat(32),
          affected_components: [
            { type: 'agent', id: 'x' },
            { type: 'browser', id: 'y' },
          ],
        }),
      );
      expect(await store.insights('default', { component_type: 'agent', component_id: 'y', limit: 10 })).toEqual([]);
    });

    it('page by last seen, then id, both descending', async () => {
      const all = [2, 2, 2, 1, 1, 0].map((second, i) =>
        insight({ id: `${9 - i}`.repeat(32), last_seen: formatNanos(NOON + BigInt(second) * SECOND) }),
      );
      for (const one of all) await store.changeInsight('default', one.id, () => one);
      const paged: Insight[] = [];
      for (;;) {
        const last = paged.at(-1);
        const page = await store.insights('default', { limit: 2, ...(last && { after: last }) });
        if (page.length === 0) break;
        paged.push(...page);
      }
      expect(paged).toEqual(all);
    });
  });

  it('sessions are put, read and listed newest first', async () => {
    const old = session({ id: 'a', created_at: formatNanos(NOON) });
    const open = session({ id: 'b', created_at: formatNanos(NOON + SECOND), active: true });
    await store.putSession('default', old);
    await store.putSession('default', { ...old, active: false, closed_at: formatNanos(NOON) });
    await store.putSession('default', open);
    const closed = { ...old, active: false, closed_at: formatNanos(NOON) };
    expect(await store.session('default', 'a')).toEqual(closed);
    expect(await store.session('default', 'c')).toBeNull();
    expect(await store.session('another', 'a')).toBeNull();
    expect(await store.sessions('default', { limit: 10 })).toEqual([open, closed]);
    expect(await store.sessions('default', { limit: 1 })).toEqual([open]);
    expect(await store.sessions('default', { active: true, limit: 10 })).toEqual([open]);
    expect(await store.sessions('default', { active: false, limit: 10 })).toEqual([closed]);
    expect(await store.sessions('another', { limit: 10 })).toEqual([]);
  });

  it.each(HOSTILE_TEXTS)('takes %s in every text, and finds it again', async (_, text) => {
    const component = { component_type: text, component_id: text };
    const correlation = { trace_id: 'a'.repeat(32), correlation_id: text, time: NOON };
    const state = snapshot({
      ...Object.fromEntries(SNAPSHOT_TEXTS.map((column) => [column, text])),
      state_data: { text },
    });
    const whole = insight({
      title: text,
      correlation_id: text,
      operation_id: text,
      affected_components: [{ type: text, id: text }],
    });
    await commit({
      componentMinutes: [componentMinute(component)],
      templateMinutes: [templateMinute(component)],
      templates: [{ id: '00000000000000aa', text }],
      traceCorrelations: [correlation],
      snapshots: [state],
    });
    await store.changeInsight('default', whole.id, () => whole);
    const own = session({ session_name: text, description: text, filters: { text } });
    await store.putSession('default', own);

    // Columns say the text as storage/text.ts has it; documents say it exactly.
    const key = { component_type: rowText(text), component_id: rowText(text) };
    expect(await store.componentMinutes('default', { ...ALL, ...component })).toMatchObject([{ ...key, total: 1 }]);
    expect(await store.templateMinutes('default', { ...ALL, ...component })).toMatchObject([{ ...key, count: 1 }]);
    expect(await store.templates('default', ['00000000000000aa'])).toEqual([
      { id: '00000000000000aa', text: rowText(text) },
    ]);
    const known = { ...correlation, correlation_id: rowText(text) };
    expect(await store.traceCorrelations('default', { correlations: [text] })).toEqual([known]);
    const stored = { ...state, ...Object.fromEntries(SNAPSHOT_TEXTS.map((column) => [column, rowText(text)])) };
    for (const column of SNAPSHOT_TEXTS)
      expect(await store.snapshots('default', { [column]: text, limit: 2 })).toEqual([stored]);
    for (const query of [{ correlation_id: text }, { operation_id: text }, component])
      expect(await store.insights('default', { ...query, limit: 2 })).toEqual([whole]);
    expect(await store.session('default', own.id)).toEqual(own);
  });

  it('tells texts apart that only differ behind their first thousand characters', async () => {
    const ids = ['one', 'two'].map((end) => 'x'.repeat(5000) + end);
    await commit({ componentMinutes: ids.map((component_id) => componentMinute({ component_id })) });
    for (const component_id of ids)
      expect(await store.componentMinutes('default', { ...ALL, component_id })).toHaveLength(1);
  });
}

const HOSTILE_TEXTS: [string, string][] = [
  ['nothing', ''],
  ['NUL', 'a\0b'],
  ['a lone surrogate', 'a\ud800b'],
  ['emoji', '\u{1f469}\u{200d}\u{1f680}'],
  ['a quote and a backslash', `a'b"c\\d%_`],
  ['a megabyte', 'm'.repeat(1_000_000)],
];
const SNAPSHOT_TEXTS = [
  'component_type',
  'component_id',
  'node_id',
  'operation_id',
  'correlation_id',
  'checkpoint_name',
] as const;
const STATES: Json[] = [
  ...HOSTILE_TEXTS.map(([, text]) => text),
  1e308,
  -0.5,
  '18446744073709551615',
  [[], {}, [null, false]],
  JSON.parse('{"__proto__": {"constructor": 1}, "a\\u0000b": "\\ud800"}') as Json,
];

export function edgeMinute(parts: Partial<EdgeMinute> = {}): EdgeMinute {
  return {
    ...{
      minute: minuteOf(NOON),
      kind: 'call',
      from_type: 'service',
      from_id: 'shop',
      to_type: 'service',
      to_id: 'stock',
    },
    ...{ calls: 1, errors: 0, latency: new Sketch() },
    ...parts,
  };
}

export function componentMinute(fields: Partial<ComponentMinute> = {}): ComponentMinute {
  return {
    minute: minuteOf(NOON),
    component_type: 'service',
    component_id: 'checkout',
    total: 1,
    errors: 0,
    critical: 0,
    latency: new Sketch(),
    ...fields,
  };
}

export function templateMinute(fields: Partial<TemplateMinute> = {}): TemplateMinute {
  return {
    minute: minuteOf(NOON),
    template_id: '00000000000000aa',
    component_type: 'service',
    component_id: 'checkout',
    count: 1,
    severity_max: 9,
    first_time: NOON,
    last_time: NOON,
    example_event_id: 'a'.repeat(32),
    ...fields,
  };
}

export function resource(fields: Partial<Resource> = {}): Resource {
  return {
    hash: 'a'.repeat(16),
    component_type: 'service',
    component_id: 'checkout',
    attributes: { 'service.name': 'checkout', 'service.version': '2.0.3' },
    first_time: NOON,
    last_time: NOON,
    ...fields,
  };
}

export function snapshot(fields: Partial<Snapshot> = {}): Snapshot {
  return {
    id: 'd'.repeat(32),
    component_type: 'service',
    component_id: 'checkout',
    node_id: 'node-1',
    operation_id: 'operation',
    correlation_id: 'correlation',
    checkpoint_name: 'before',
    state_name: 'cart',
    snapshot_type: 'full',
    state_data: { stock: 3 },
    time: NOON,
    ...fields,
  };
}

export function insight(fields: Partial<Insight> = {}): Insight {
  return {
    id: 'a'.repeat(32),
    fingerprint: 'error:checkout',
    insight_type: 'error',
    severity: 'warning',
    title: 'title',
    summary: 'summary',
    description: 'description',
    evidence: { event_ids: ['b'.repeat(32)], span_ids: [], trace_ids: [], snapshot_ids: [], numbers: { count: 5 } },
    confidence_score: 0.9,
    suggestions: [{ action: 'restart', why: 'it helped', source: 'past_resolution' }],
    scope: 'component',
    affected_components: [{ type: 'service', id: 'checkout' }],
    correlation_id: 'correlation',
    operation_id: null,
    first_seen: formatNanos(NOON),
    last_seen: formatNanos(NOON),
    occurrences: 5,
    state: 'open',
    resolution_notes: null,
    resolved_by: null,
    resolved_at: null,
    generated_at: formatNanos(NOON),
    updated_at: formatNanos(NOON),
    expires_at: formatNanos(NOON),
    ...fields,
  };
}

function session(fields: Partial<Session> = {}): Session {
  return {
    id: 's',
    session_name: 'name',
    description: null,
    filters: {},
    scope: {},
    active: true,
    created_at: formatNanos(NOON),
    closed_at: null,
    ...fields,
  };
}

function sketchOf(values: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value);
  return sketch;
}

/** In an order that does not matter. */
function groups<T>(rows: readonly T[], by: (row: T) => string): T[][] {
  return [...Map.groupBy(rows, by).values()];
}

function sum<Name extends string>(rows: readonly Record<Name, number>[], name: Name): number {
  return rows.reduce((sum, row) => sum + row[name], 0);
}

function sorted<T>(rows: readonly T[]): T[] {
  const nameOf = (row: T) => JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  return rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function sortedEach(families: Record<string, readonly unknown[]>): Record<string, unknown[]> {
  return Object.fromEntries(Object.entries(families).map(([name, rows]) => [name, sorted(rows)]));
}
