/** What clocks and the order of arrival do: FAULTS.md F13, F14, F16, from the wire to the answer. */
import pg from 'pg';
import { afterEach, expect, inject, it } from 'vitest';
import { type Clock, systemClock } from '../../base/clock.ts';
import { createDatabase } from '../support/postgres.ts';
import { STORES, startWholeSystem, type WholeSystem } from '../support/whole-system.ts';

const HOUR = 3_600_000_000_000n;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

let system: WholeSystem | undefined;
afterEach(async () => {
  await system?.stop();
  system = undefined;
});

const spansRequest = (...spans: object[]) => ({
  resourceSpans: [
    { resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] }, scopeSpans: [{ spans }] },
  ],
});
const span = (trace: string, id: string, more: { start: bigint; end?: bigint; parent?: string; name?: string }) => ({
  traceId: trace.repeat(32),
  spanId: id.repeat(16),
  ...(more.parent !== undefined && { parentSpanId: more.parent.repeat(16) }),
  name: more.name ?? id,
  kind: 1,
  startTimeUnixNano: String(more.start),
  endTimeUnixNano: String(more.end ?? more.start + 1_000_000n),
});

it('F13 clocks a day off, at 1970, at the end of time, running backwards: kept as sent, and no days of their own', async () => {
  const database = await createDatabase(inject('pgUrl'));
  try {
    system = await startWholeSystem('embedded', { flags: { 'pg-url': database.url } });
    const now = BigInt(Date.now()) * 1_000_000n;
    const times = [now, now - 24n * HOUR, now + 24n * HOUR, 1n, 1_000_000_000n, UINT64_MAX, now - 24n * 3650n * HOUR];
    const spans = times.map((start, i) => span('a', (i + 1).toString(16), { start, end: start, name: `at ${start}` }));
    spans.push(span('a', 'f', { start: now, end: now - HOUR, name: 'backwards' }));
    // And a day of each year, for whoever would make a partition of each.
    for (let year = 0n; year < 400n; year++)
      spans.push(span('b', 'e', { start: year * 365n * 24n * HOUR + 5n, name: `year ${year}` }));
    expect((await system.send('span', spansRequest(...spans))).status).toBe(200);

    const events = await system.events({});
    expect(events).toHaveLength(spans.length);
    const byMessage = new Map(events.map((event) => [event.message, event]));
    expect(byMessage.get(`at ${UINT64_MAX}`)!.timestamp).toBe('2554-07-21T23:34:33.709551615Z');
    expect(byMessage.get('at 1')!.timestamp).toBe('1970-01-01T00:00:00.000000001Z');
    expect(byMessage.get('backwards')).toBeDefined();
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query('SELECT count(DISTINCT day)::int AS days FROM ai_debug.block');
    await client.end();
    expect(rows[0].days).toBeLessThanOrEqual(3);
  } finally {
    await system?.stop();
    system = undefined;
    await database.drop();
  }
});

it.each(STORES)(
  'F14 %s: the clock of the machine goes back a day, and forth: nothing is lost, mixed up or hurried',
  async (store) => {
    const real = systemClock();
    let offset = 0n;
    const clock: Clock = { ...real, nowNanos: () => real.nowNanos() + offset };
    system = await startWholeSystem(store, { clock });
    const now = BigInt(Date.now()) * 1_000_000n;
    for (const [i, jump] of [0n, -24n, 0n, 1n, -1n].entries()) {
      offset = jump * HOUR;
      const request = spansRequest(span('c', (i + 1).toString(16), { start: now + BigInt(i) }));
      expect((await system.send('span', request)).status).toBe(200);
      expect((await system.send('span', request)).status).toBe(200);
      expect(await system.events({})).toHaveLength(i + 1);
      const metrics = await (await fetch(`${system.http}/metrics`)).text();
      expect(Number(/^ai_debug_journal_lag_seconds (.*)$/m.exec(metrics)![1])).toBeGreaterThanOrEqual(0);
      expect((await fetch(`${system.http}/readyz`)).status).toBe(200);
    }
    expect((await system.events({})).map(({ message }) => message)).toEqual(['5', '4', '3', '2', '1']);
  },
);

it.each(STORES)(
  'F16 %s: spans late, out of order, without parent, in circles, twice: the trace is shown, and says what is wrong',
  async (store) => {
    system = await startWholeSystem(store);
    const now = BigInt(Date.now()) * 1_000_000n;
    const at = (ms: number) => now + BigInt(ms) * 1_000_000n;
    for (const request of [
      [span('d', '3', { start: at(20), parent: '2' })], // the child before its parent
      [span('d', '1', { start: at(0), end: at(100) })],
      [span('d', '9', { start: at(30), parent: '8' })], // whose parent never comes
      [span('d', '5', { start: at(40), parent: '6' }), span('d', '6', { start: at(41), parent: '5' })],
      [span('d', '7', { start: now - 5n * HOUR })], // hours late, and another root
      [span('e', '1', { start: at(0) })], // the same span id in another trace
      [span('d', '2', { start: at(10), end: at(50), parent: '1' })],
    ]) {
      expect((await system.send('span', spansRequest(...request))).status).toBe(200);
    }
    const response = await fetch(`${system.http}/api/debug/traces/${'d'.repeat(32)}`);
    expect(response.status).toBe(200);
    const { data } = (await response.json()) as {
      data: {
        span_count: number;
        incomplete: boolean;
        problems: { kind: string }[];
        spans: { span_id: string; depth: number }[];
      };
    };
    expect(data.span_count).toBe(7);
    expect(data.incomplete).toBe(true);
    expect(data.problems.map(({ kind }) => kind)).toContain('missing_parent');
    const depths = Object.fromEntries(data.spans.map(({ span_id, depth }) => [span_id[0], depth]));
    expect(depths).toMatchObject({ 1: 0, 2: 1, 3: 2, 9: 0, 7: 0 });
    expect(Object.keys(depths).sort()).toEqual(['1', '2', '3', '5', '6', '7', '9']);
  },
);
