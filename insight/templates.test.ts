import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTemplateMiner, templateText } from './templates.ts';

test('values become typed placeholders, words stay', () => {
  const cases: [message: string, template: string][] = [
    ['user 17 logged in from 10.0.0.3', 'user <num> logged in from <ip>'],
    ['took 12ms, then 1.5s; balance -3 of +4', 'took <duration>, then <duration>; balance <num> of <num>'],
    ['order 3f2504e0-4f89-41d3-9a0c-0305e82c3301 failed', 'order <uuid> failed'],
    ['event plugged:3f2504e0-4f89-41d3-9a0c-0305e82c3301 done', 'event plugged:<uuid> done'],
    ['GET http://shop:8080/cart?x=1 from ann@example.org', 'GET <url> from <email>'],
    ['cannot open /var/lib/app/data.db (errno 2)', 'cannot open <path> (errno <num>)'],
    ['commit 8f3a91c20b at 0xdeadbeef', 'commit <hex> at <hex>'],
    ['[2024-05-01T10:00:00.123Z] started', '[<time>] started'],
    [`key "a b" and 'c' aren't known, don't ask`, `key <quoted> and <quoted> aren't known, don't ask`],
    ['{"level":"warn","n":3,"msg":"order 4 is late"}', '{"level":<quoted>,"n":<num>,"msg":"order <num> is late"}'],
    ['uid=0 euid=1000 size=12KB total 1,234,567', 'uid=<num> euid=<num> size=<size> total <num>'],
    ['block blk_-162 and blk_163 on worker-12', 'block blk_<num> and blk_<num> on worker-<num>'],
    ['connect ECONNREFUSED 127.0.0.1:5432', 'connect ECONNREFUSED <ip>'],
    ['at  fe80::1\tand 2001:db8:0:0:0:0:0:1', 'at <ip> and <ip>'],
    ['session x7Kq93Zt ended.', 'session <id> ended.'],
    ['plain words / only', 'plain words / only'],
    ['', ''],
  ];
  for (const [message, template] of cases) expect(templateText(message)).toBe(template);
});

test('messages that differ in values only share an id, which depends on nothing but the message', () => {
  const one = createTemplateMiner();
  const other = createTemplateMiner({ cacheMax: 1 });
  other.templateOf('something else first');
  expect(one.templateOf('sku 4 is out')).toEqual(other.templateOf('sku 91 is out'));
  expect(one.templateOf('sku 4 is out').id).toMatch(/^[0-9a-f]{16}$/);
  expect(one.templateOf('sku 4 is out').id).not.toBe(one.templateOf('sku 4 is in').id);
});

test('any text has a template, and what follows the first 2,000 characters does not change it', () => {
  const miner = createTemplateMiner();
  const anything = fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 })
    .map((codes) => String.fromCharCode(...codes));
  fc.assert(fc.property(anything, (message) => miner.templateOf(message).id.length === 16));
  expect(templateText(`${'x '.repeat(1500)}1`)).toBe(templateText(`${'x '.repeat(1500)}b`));
});

test('a hostile message ends', { timeout: 2000 }, () => {
  // Each of these makes some naive pattern run for minutes.
  const units = ['1', 'a1-', '"', '\\"', '1.', 'a:', '1,000', '/a', '[1,', 'a@', "'a"];
  for (const unit of units) expect(templateText(unit.repeat(20_000)).length).toBeGreaterThan(0);
});
