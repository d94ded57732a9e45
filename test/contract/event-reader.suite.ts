/** What asking for events promises, whatever tiers there are and wherever a block lies: `EventReader` in storage/query.ts. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import type { Block } from '../../model/block.ts';
import { LEVELS, levelOf, severityOf } from '../../model/event.ts';
import { eventId } from '../../model/ids.ts';
import type { TraceCorrelation } from '../../model/rollup.ts';
import { templateId } from '../../model/template.ts';
import type { BlockReader, ColdStore, HotStore, TierName, WarmStore } from '../../storage/contract.ts';
import type { EventQuery } from '../../storage/query.ts';
import { createTiers, type Tiers } from '../../storage/tiers.ts';
import { found, idsOf, type LogSpec, logBlock, MINUTE, NOON, SECOND, UINT64_MAX } from '../support/blocks.ts';
import { descending } from './block-reader.suite.ts';
import { flush } from './warm-store.suite.ts';

export interface TiersHarness {
  hot: HotStore | null;
  warm: WarmStore;
  cold: ColdStore | null;
  /** As of `createTiers`. */
  soleWriter?: boolean;
  drop(): Promise<void>;
}

/** @param make started, empty stores for each test */
export function describeEventReader(name: string, make: () => Promise<TiersHarness>): void {
  describe(`events over ${name}`, () => {
    let stores: TiersHarness;
    let tiers: Tiers;
    let present: TierName[];

    beforeEach(async () => {
      stores = await make();
      tiers = open();
      present = [stores.hot, stores.warm, stores.cold].flatMap((store) => (store === null ? [] : [store.tier]));
    });
    afterEach(() => stores?.drop());

    function open(): Tiers {
      const { hot, warm, cold, soleWriter = false } = stores;
      return createTiers({ hot, warm, cold, soleWriter, log: createLogger('silent'), meter: createMeter() });
    }

    /** Puts a block where it is said to lie, whatever the way of writing it. */
    async function place(tenant: string, block: Block, where: readonly TierName[], known: TraceCorrelation[] = []) {
      await stores.warm.commit(
        flush({ tenant, traceCorrelations: known, blocks: where.includes('warm') ? [block] : [] }),
      );
      if (where.includes('hot')) await stores.hot?.put([block]);
      if (where.includes('cold')) await stores.cold?.put(found(block));
      if (where.includes('cold')) await stores.cold?.seal();
    }

    async function page(query: Partial<EventQuery> = {}) {
      return tiers.reader.events({ tenant: 'default', limit: 100, ...query });
    }
    const messages = async (query: Partial<EventQuery> = {}) =>
      (await page(query)).events.map(({ message }) => message);

    it('a template stands for those that have become part of it, before and after', async () => {
      const texts = ['user ann left', 'user <*> left', '<*> <*> left', 'user <num> entered'];
      const [first, second, general, other] = texts.map(templateId) as [string, string, string, string];
      const logs = [first, second, general, other].map((template, i) => ({
        time: NOON + BigInt(i) * SECOND,
        message: texts[i]!,
        template,
      }));
      await place('default', logBlock(logs), ['warm']);
      await stores.warm.commit(
        flush({
          templates: [
            { id: first, text: texts[1]!, merged: true },
            { id: second, text: texts[2]!, merged: true },
            { id: general, text: texts[2]! },
            { id: other, text: texts[3]! },
          ],
        }),
      );
      const merged = ['<*> <*> left', 'user <*> left', 'user ann left'];
      for (const template_id of [first, second, general]) expect(await messages({ template_id })).toEqual(merged);
      expect(await messages({ template_id: other })).toEqual(['user <num> entered']);
    });

    it('pages hold every record once, newest first, whatever is asked and wherever it lies', async () => {
      let run = 0;
      const shape = fc.record({
        logs: fc.array(logShape, { minLength: 1, maxLength: 25 }),
        before: fc.array(placedShape(present), { maxLength: 3 }),
        after: fc.array(placedShape(present), { minLength: 1, maxLength: 6 }),
        queries: fc.array(queryShape, { minLength: 1, maxLength: 6 }),
      });
      await fc.assert(
        fc.asyncProperty(shape, async ({ logs, before, after, queries }) => {
          const tenant = `tenant-${run++}`;
          const ids = idsOf(logs);
          const stored = new Map<string, LogSpec>();
          const blockOf = (picks: readonly number[]) => {
            const own = [...new Set(picks.map((pick) => pick % logs.length))];
            for (const i of own) stored.set(ids[i]!, logs[i]!);
            const picked = own.map((i) => logs[i]!);
            return { block: logBlock(picked, { tenant }), known: correlationsOf(picked) };
          };
          // Those of before lie there when this process begins.
          for (const { picks, where } of before) {
            const { block, known } = blockOf(picks);
            await place(tenant, block, where.filter((tier) => tier !== 'hot').concat('warm'), known);
          }
          tiers = open();
          for (const { picks, where } of after) {
            const { block, known } = blockOf(picks);
            if (stores.soleWriter === true)
              await tiers.commit(flush({ tenant, blocks: [block], traceCorrelations: known }));
            else await place(tenant, block, where, known);
          }
          const correlations = new Map(
            correlationsOf([...stored.values()]).map((known) => [known.trace_id, known.correlation_id]),
          );
          for (const { limit, ...asked } of queries) {
            const traces = touchedBy(asked.correlation_id, [...stored.values()]);
            const expected = [...stored].filter(([, log]) => matches(log, asked, traces)).map(([id]) => id);
            expected.sort(descending);
            const paged: string[] = [];
            let cursor: string | undefined;
            for (;;) {
              const { events, next } = await page({
                tenant,
                limit,
                ...asked,
                ...(cursor !== undefined && { before: cursor }),
              });
              for (const event of events) {
                const log = stored.get(event.id)!;
                expect(event.message).toBe(log.message);
                expect(event.correlation_id).toBe(
                  log.correlation ?? (log.trace && (correlations.get(log.trace) ?? log.trace)) ?? null,
                );
              }
              paged.push(...events.map(({ id }) => id));
              if (next === null) break;
              expect(events).toHaveLength(limit);
              expect(next).toBe(events.at(-1)!.id);
              cursor = next;
            }
            expect(paged).toEqual(expected);

            const { q, attributes, ...columns } = asked;
            const scanned: string[] = [];
            await tiers.reader.scan({ tenant, ...columns }, ({ columns: { time, hash } }, i) =>
              scanned.push(eventId(time[i]!, hash[i]!)),
            );
            const byColumns = [...stored].filter(([, log]) => matches(log, columns, traces)).map(([id]) => id);
            expect(scanned.sort()).toEqual(byColumns.sort());
          }
          for (const [i, id] of ids.entries()) {
            const one = await tiers.reader.event(tenant, id);
            expect(one?.event.message).toBe(stored.get(id) && logs[i]!.message);
          }
        }),
        { numRuns: 40 },
      );
      // Each block of the archive is sealed by itself: a file, and the summary of its day anew.
    }, 120_000);

    it('says which tiers answered, and which held the event', async () => {
      const logs = [{ time: NOON, message: 'here' }];
      const fastest = present[0]!;
      if (stores.soleWriter === true) await tiers.commit(flush({ blocks: [logBlock(logs)] }));
      else await place('default', logBlock(logs), present);
      const { tiers: answered } = await page();
      expect(answered).toEqual(present.filter((tier) => answered.includes(tier)));
      expect(answered).toContain(fastest);
      const one = await tiers.reader.event('default', idsOf(logs)[0]!);
      expect(one).toMatchObject({ tier: fastest, event: { id: idsOf(logs)[0], message: 'here' } });
    });

    it('finds an event by its id alone, and no other', async () => {
      const logs = [0n, NOON, NOON, UINT64_MAX].map((time, i) => ({ time, message: `${i}` }));
      await place('default', logBlock(logs, { day: '2026-01-15' }), ['warm']);
      for (const [i, id] of idsOf(logs).entries()) {
        expect((await tiers.reader.event('default', id))!.event).toMatchObject({ id, message: `${i}` });
        expect(await tiers.reader.event('another', id)).toBeNull();
      }
      for (const id of ['', 'no id', 'f'.repeat(31), 'F'.repeat(32), eventId(NOON, 1n), eventId(NOON + 1n, 0n)]) {
        expect(await tiers.reader.event('default', id)).toBeNull();
      }
    });

    it('takes a correlation for all that carries it and all in its traces, early or late', async () => {
      const [touched, other] = ['a'.repeat(32), 'b'.repeat(32)];
      const says = { time: NOON, correlation: 'order-1', trace: touched, message: 'says' };
      await place('default', logBlock([{ time: NOON - MINUTE, trace: touched, message: 'early' }]), ['warm']);
      await place('default', logBlock([says]), ['warm'], correlationsOf([says]));
      await place(
        'default',
        logBlock([
          { time: NOON + MINUTE, trace: touched, message: 'late' },
          { time: NOON + MINUTE, trace: other, message: 'of another trace' },
          { time: NOON + MINUTE, correlation: 'order-1', message: 'without a trace' },
        ]),
        ['warm'],
      );
      expect((await messages({ correlation_id: 'order-1' })).sort()).toEqual([
        'early',
        'late',
        'says',
        'without a trace',
      ]);
      expect(await messages({ correlation_id: other })).toEqual(['of another trace']);
      const { events } = await page({ trace_id: touched });
      expect(new Set(events.map(({ correlation_id }) => correlation_id))).toEqual(new Set(['order-1']));
      expect((await page({ trace_id: other })).events[0]!.correlation_id).toBe(other);
    });

    it('takes a trace for each correlation that touches it, and calls it by the first', async () => {
      const trace = 'a'.repeat(32);
      const logs = [
        { time: NOON + 2n, correlation: 'request-9', trace, message: 'request' },
        { time: NOON + 1n, correlation: 'order-1', trace, message: 'order' },
        { time: NOON, trace, message: 'neither' },
      ];
      await place('default', logBlock(logs), ['warm'], correlationsOf(logs));
      for (const correlation_id of ['request-9', 'order-1']) {
        const { events } = await page({ correlation_id });
        expect(events.map((event) => [event.message, event.correlation_id])).toEqual([
          ['request', 'request-9'],
          ['order', 'order-1'],
          ['neither', 'order-1'],
        ]);
      }
    });

    it('reads text without regard to case, attributes by record, scope, resource', async () => {
      const logs = [
        {
          time: NOON,
          message: 'Payment REFUSED für \u00dc',
          attributes: { color: 'red', size: 3 },
          resource: { color: 'blue' },
        },
        { time: NOON + 1n, message: 'payment made', resource: { color: 'red' } },
      ];
      await place('default', logBlock(logs), ['warm']);
      expect(await messages({ q: 'refused FÜR' })).toEqual([logs[0]!.message]);
      expect(await messages({ q: '' })).toHaveLength(2);
      expect(await messages({ q: 'nowhere' })).toEqual([]);
      expect(await messages({ attributes: new Map([['color', 'red']]) })).toHaveLength(2);
      expect(await messages({ attributes: new Map([['color', 'blue']]) })).toEqual([]);
      expect(
        await messages({
          attributes: new Map([
            ['color', 'red'],
            ['size', '3'],
          ]),
        }),
      ).toEqual([logs[0]!.message]);
      expect(await messages({ attributes: new Map([['__proto__', 'x']]) })).toEqual([]);
    });

    it('looks for a text in no payload of a block that cannot hold it, wherever that lies', async () => {
      const opened = new Set<string>();
      const watched = <S extends BlockReader>(store: S): S => ({
        ...store,
        async *blocks(selector, tally) {
          for await (const block of store.blocks(selector, tally)) {
            const payload = () => {
              opened.add(block.id);
              return block.payload();
            };
            yield { ...block, payload };
          }
        },
      });
      const { hot, warm, cold } = stores;
      stores = { ...stores, hot: hot && watched(hot), warm: watched(warm), cold: cold && watched(cold) };
      tiers = open();
      const texts = ['Payment REFUSED by bank 4711', 'cart emptied', 'cart filled', 'mail sent to Łódź'];
      for (const [i, message] of texts.entries()) {
        const block = logBlock([{ time: NOON + BigInt(i) * SECOND, message }]);
        if (stores.soleWriter === true) await tiers.commit(flush({ blocks: [block] }));
        else await place('default', block, [present[i % present.length]!]);
      }
      for (const [query, found] of [
        [{ q: 'refused BY' }, [texts[0]]],
        [{ q: '471' }, [texts[0]]],
        [{ q: 'ŁÓDŹ' }, [texts[3]]],
        [{ regex: 'cart \\w+ed$' }, [texts[2], texts[1]]],
        [{ q: 'nowhere' }, []],
      ] as const) {
        tiers = open();
        opened.clear();
        expect(await messages(query)).toEqual(found);
        // Of three characters no filter can tell anything.
        expect(opened.size).toBe('q' in query && query.q === '471' ? texts.length : found.length);
      }
    });

    it('refuses a cursor that is none', async () => {
      await expect(page({ before: 'page 2' })).rejects.toMatchObject({ name: 'DebugError', code: 'INVALID' });
    });

    it('answers an empty store and an unknown tenant with an empty page', async () => {
      expect(await page()).toMatchObject({ events: [], next: null });
      await place('default', logBlock([{ time: NOON }]), ['warm']);
      expect(await page({ tenant: 'another' })).toMatchObject({ events: [], next: null });
    });

    it('reads a page of many blocks without reading them all', async () => {
      let read = 0;
      const { warm } = stores;
      stores.warm = {
        ...warm,
        async *blocks(selector) {
          for await (const block of warm.blocks(selector)) {
            read++;
            yield block;
          }
        },
      };
      tiers = open();
      const blocks = Array.from({ length: 200 }, (_, i) =>
        logBlock(
          Array.from({ length: 5 }, (_, j) => ({ time: NOON + BigInt(i) * SECOND + BigInt(j), message: `${i}/${j}` })),
        ),
      );
      await warm.commit(flush({ blocks }));
      expect(await messages({ limit: 8 })).toHaveLength(8);
      expect(read).toBeLessThan(10);
    });
  });
}

type Asked = Omit<EventQuery, 'tenant' | 'limit' | 'before'>;

const COMPONENTS = [
  { type: 'service', id: 'a' },
  { type: 'service', id: 'b' },
  { type: 'agent', id: 'a' },
];
const TRACES = ['1', '2', '3'].map((digit) => digit.repeat(32));
// A correlation may be spelled like a trace id, and may be one.
const CORRELATIONS = ['order-1', 'order-2', TRACES[2]!];
const WORDS = ['alpha', 'Beta', 'GAMMA'];
const TEMPLATES = ['00000000000000aa', '00000000000000bb'];

const timeShape = fc.oneof(
  fc.bigInt({ min: 0n, max: 4n }).map((second) => NOON + second * SECOND),
  fc.bigInt({ min: 0n, max: 2n }).map((hour) => NOON + hour * 60n * MINUTE),
);
const logShape: fc.Arbitrary<LogSpec & { message: string }> = fc.record(
  {
    time: timeShape,
    message: fc.tuple(fc.constantFrom(...WORDS), fc.nat(1000)).map(([word, n]) => `${word} ${n}`),
    severity: fc.integer({ min: 1, max: 24 }),
    component: fc.constantFrom(...COMPONENTS),
    correlation: fc.constantFrom(...CORRELATIONS),
    operation: fc.constantFrom('operation-1', 'operation-2'),
    trace: fc.constantFrom(...TRACES),
    template: fc.constantFrom(...TEMPLATES),
    attributes: fc.constantFrom({ color: 'red' }, { color: 'blue' }),
  },
  { requiredKeys: ['time', 'message', 'severity', 'component'] },
);
const placedShape = (tiers: readonly TierName[]) =>
  fc.record({
    picks: fc.array(fc.nat(24), { minLength: 1, maxLength: 12 }),
    where: fc.subarray([...tiers], { minLength: 1 }),
  });
const queryShape: fc.Arbitrary<Asked & { limit: number }> = fc
  .record(
    {
      limit: fc.integer({ min: 1, max: 7 }),
      component_type: fc.constantFrom('service', 'agent', 'browser'),
      component_id: fc.constantFrom('a', 'b'),
      correlation_id: fc.constantFrom(...CORRELATIONS, TRACES[0]!, 'order-3'),
      operation_id: fc.constantFrom('operation-1', 'operation-3'),
      trace_id: fc.constantFrom(...TRACES),
      event_types: fc.constantFrom(['log' as const], ['error' as const], ['log' as const, 'error' as const], []),
      level: fc.constantFrom(...LEVELS),
      min_level: fc.constantFrom(...LEVELS),
      template_id: fc.constantFrom(...TEMPLATES, '00000000000000cc'),
      q: fc.constantFrom('ALPHA', 'a 1', '', 'PHA 12', 'gamma 10', 'alphabet'),
      attributes: fc.constantFrom(new Map([['color', 'red']]), new Map<string, string>()),
      start: timeShape,
      end: timeShape,
    },
    { requiredKeys: ['limit'] },
  )
  // Twelve conditions at once leave nothing to find.
  .chain((query) =>
    fc
      .subarray(
        Object.keys(query).filter((key) => key !== 'limit'),
        { maxLength: 3 },
      )
      .map(
        (kept) =>
          Object.fromEntries(
            Object.entries(query).filter(([key]) => key === 'limit' || kept.includes(key)),
          ) as typeof query,
      ),
  );

/** What a flush would say of the traces in its records. */
function correlationsOf(logs: readonly LogSpec[]): TraceCorrelation[] {
  const known = new Map<string, TraceCorrelation>();
  for (const { time, trace, correlation } of logs) {
    if (trace === undefined || correlation === undefined) continue;
    const best = known.get(trace);
    if (best === undefined || time < best.time || (time === best.time && correlation < best.correlation_id)) {
      known.set(trace, { trace_id: trace, correlation_id: correlation, time });
    }
  }
  return [...known.values()];
}

function touchedBy(correlation: string | undefined, logs: readonly LogSpec[]): string[] {
  if (correlation === undefined) return [];
  const carrying = logs.filter((log) => log.correlation === correlation && log.trace !== undefined);
  return [correlation, ...carrying.map(({ trace }) => trace!)];
}

/** The query in plain words, against what was sent. */
function matches(log: LogSpec, asked: Asked, traces: readonly string[]): boolean {
  const severity = log.severity!;
  const touched = log.trace !== undefined && traces.includes(log.trace);
  return (
    (asked.component_type ?? log.component!.type) === log.component!.type &&
    (asked.component_id ?? log.component!.id) === log.component!.id &&
    (asked.correlation_id === undefined || asked.correlation_id === log.correlation || touched) &&
    (asked.operation_id === undefined || asked.operation_id === log.operation) &&
    (asked.trace_id === undefined || asked.trace_id === log.trace) &&
    (asked.event_types === undefined ||
      asked.event_types.includes(severity >= severityOf('ERROR') ? 'error' : 'log')) &&
    (asked.level === undefined || asked.level === levelOf(severity)) &&
    (asked.min_level === undefined || severity >= severityOf(asked.min_level)) &&
    (asked.template_id === undefined || asked.template_id === log.template) &&
    (asked.q === undefined || log.message!.toLowerCase().includes(asked.q.toLowerCase())) &&
    [...(asked.attributes ?? [])].every(([key, value]) => log.attributes?.[key] === value) &&
    (asked.start === undefined || log.time >= asked.start) &&
    (asked.end === undefined || log.time <= asked.end)
  );
}
