/** What every warm tier promises of its ordinary rows, but for minutes (minutes.suite.ts): `RowStore` in storage/contract.ts, and how a commit changes them. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Insight } from '../../model/insight.ts';
import type { Json } from '../../model/json.ts';
import type { Resource } from '../../model/resource.ts';
import { formatNanos } from '../../model/time.ts';
import { emptyFlush, type Flush, type InsightQuery, type WarmStore } from '../../storage/contract.ts';
import { rowText, rowTime } from '../../storage/text.ts';
import { MINUTE, NOON, SECOND, UINT64_MAX } from '../support/blocks.ts';
import { componentMinute, insight, resource, session, snapshot, sorted, templateMinute } from '../support/rows.ts';

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
