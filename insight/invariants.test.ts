import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../model/json.ts';
import { at, snapshot } from '../test/support/telemetry.ts';
import { parseInvariants, violationsOf } from './invariants.ts';

const state = (seconds: number, by: string, state: JsonObject, operation?: string) =>
  snapshot({ ms: seconds * 1000, by, state, ...(operation !== undefined && { operation }) });
const check = (rule: string, snapshots: ReturnType<typeof state>[], asOfSeconds = 600) =>
  violationsOf(parseInvariants(`rule: ${rule}`)[0]!, snapshots, at(asOfSeconds * 1000));

describe('what is declared', () => {
  test('is read, comments and empty lines left out', () => {
    const rules = parseInvariants(`
      # money
      books balance: sum(service/ledger#accounts.*.balance) == service/ledger#total
      stock agrees: service/orders#reserved == service/inventory#reserved within 10 s
      rises: monotonic service/config#version
    `);
    expect(rules.map(({ name, op, withinSeconds }) => [name, op, withinSeconds])).toEqual([
      ['books balance', '==', 0],
      ['stock agrees', '==', 10],
      ['rises', 'monotonic', 0],
    ]);
    expect(parseInvariants('')).toEqual([]);
  });

  test('and what cannot be read names the rule and why', () => {
    const why = (rule: string) => {
      try {
        parseInvariants(`# first\nmine: ${rule}`);
        return 'read';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(why('service/a#x = 3')).toMatch(/^line 2, rule "mine": /);
    expect(why('service/a#x == ')).toContain('a value is missing');
    expect(why('1 == 2')).toContain('one side must be a place');
    expect(why('sum(3) == service/a#x')).toContain('takes a place');
    expect(why('sum(service/a#x == 3')).toContain('is not closed');
    expect(why('service/a#x == 3 within soon')).toContain('only "within 5 s"');
    expect(why('service/a#x..y == 3')).toContain('no path of keys');
    expect(why('monotonic 3')).toContain('takes a place');
    expect(() => parseInvariants('a: service/a#x == 1\na: service/a#x == 1')).toThrow('two rules "a"');
    expect(() => parseInvariants('nothing')).toThrow('line 1 is no rule');
  });
});

describe('what is checked', () => {
  const ledger = (seconds: number, a: number, b: number, total: number, operation?: string, by = 'ledger') =>
    state(seconds, by, { accounts: { a: { balance: a }, 'b 1': { balance: b } }, total }, operation);
  const rule = 'sum(service/ledger#accounts.*.balance) == service/ledger#total';

  test('a sum, deep and with any key; the operation that broke it is told', () => {
    expect(check(rule, [ledger(0, 3, 4, 7), ledger(1, 3.1, 4.2, 7.3)])).toEqual([]);
    const [violation] = check(rule, [ledger(0, 3, 4, 7), ledger(1, 3, 5, 7, 'op-9'), ledger(2, 3, 5, 7)]);
    expect(violation).toMatchObject({
      left: 8,
      right: 7,
      until: null,
      confirmations: 1,
      since: { operation_id: 'op-9' },
    });
  });

  test('each node for itself', () => {
    const found = check(rule, [ledger(0, 3, 4, 7, undefined, 'ledger@n1'), ledger(0, 3, 4, 8, undefined, 'ledger@n2')]);
    expect(found.map(({ since }) => since.node_id)).toEqual(['n2']);
  });

  test('two components may differ while an operation is on its way, and not for longer', () => {
    const pair = 'service/orders#reserved == service/inventory#reserved within 5 s';
    const start = [state(0, 'orders', { reserved: 1 }), state(0, 'inventory', { reserved: 1 })];
    expect(
      check(pair, [...start, state(10, 'orders', { reserved: 2 }), state(13, 'inventory', { reserved: 2 })]),
    ).toEqual([]);
    expect(check(pair, [...start, state(10, 'orders', { reserved: 2 })], 12)).toEqual([]);
    expect(check(pair, [...start, state(10, 'orders', { reserved: 2 }, 'op-2')])).toMatchObject([
      { left: 2, right: 1, since: { operation_id: 'op-2' } },
    ]);
    expect(
      check(pair, [...start, state(10, 'orders', { reserved: 2 }), state(30, 'inventory', { reserved: 2 })]),
    ).toMatchObject([{ until: at(30_000) }]);
  });

  test('monotonic, limits, wildcards, counts', () => {
    const versions = (...all: number[]) => all.map((version, i) => state(i, 'config', { version }));
    expect(check('monotonic service/config#version', versions(1, 2, 2, 5))).toEqual([]);
    expect(check('monotonic service/config#version', versions(1, 5, 4, 6))).toMatchObject([{ left: 4, right: 5 }]);
    const queue = (length: number, id: string) => state(0, id, { queue: Array.from({ length }, (_, i) => i) });
    expect(check('count(service/*#queue[*]) <= 3', [queue(3, 'a'), queue(4, 'b')])).toMatchObject([
      { since: { component_id: 'b' } },
    ]);
    expect(check('service/a#mode == "primary"', [state(0, 'a', { mode: 'standby' })])).toHaveLength(1);
  });

  test('what nobody has said breaks nothing', () => {
    expect(check('service/a#x == 3', [state(0, 'a', { y: 4 }), state(0, 'b', { x: 4 })])).toEqual([]);
  });
});
