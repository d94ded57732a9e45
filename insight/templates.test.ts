import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Template } from '../model/rollup.ts';
import { currentTemplates } from '../model/template.ts';
import { createTemplateMiner, createTenantTemplates, templateText } from './templates.ts';

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
    ['{"took":0.25,"n":3}', '{"took":<num>,"n":<num>}'],
    ['订单4711已取消，金额12.50元', '订单<num>已取消，金额<num>.<num>元'],
    ['uid=0 euid=1000 size=12KB total 1,234,567', 'uid=<num> euid=<num> size=<size> total <num>'],
    ['block blk_-162 and blk_163 on worker-12', 'block blk_<num> and blk_<num> on worker-<num>'],
    ['connect ECONNREFUSED 127.0.0.1:5432', 'connect ECONNREFUSED <ip>'],
    ['at  fe80::1\tand 2001:db8:0:0:0:0:0:1', 'at <ip> and <ip>'],
    ['session x7Kq93Zt ended.', 'session <id> ended.'],
    ['plain words / only', 'plain words / only'],
    ['state=ready ruser= rhost=a.example.org user=ann', 'state=<value> ruser= rhost=<host> user=<value>'],
    ['held by Lock{17} (src=Pool{4}) if a == b', 'held by Lock{<num>} (src=<value>) if a == b'],
    ['10.0.0.1 "GET /a?b=c HTTP/1.1" status: 200', '<ip> "GET <path> HTTP/<num>.<num>" status: <num>'],
    ['sent 1190 bytes (1.16 KB) in 3 ms', 'sent <size> in <duration>'],
    ['delete blk_1 blk_2 blk_3', 'delete blk_<num>'],
    ['from db.internal.example.com:5432 at main.c:17', 'from <host> at main.c:<num>'],
    ['started Fri Jun 17 07:07:00 2005', 'started <time>'],
    ['cache: true, "left": null', 'cache: <bool>, "left": <bool>'],
    ['job moved from NEW to RUNNING_LATE', 'job moved from <value> to <value>'],
    ['job moved from bed to table', 'job moved from bed to table'],
    ['visible is false, x is null', 'visible is <bool>, x is null'],
    ['Loading class org.acme.shop.Cart for class a.b.C$D', 'Loading class <id> for class <id>'],
    ['start com.acme.app/.ui.Main now', 'start <path> now'],
    ['link 1N02 of Token{3b589 x} ends', 'link <id> of Token{<id> x} ends'],
    ['', ''],
  ];
  for (const [message, template] of cases) expect(templateText(message)).toBe(template);
});

test.each([
  ['German', 'Bestellung', 'von', ['Weiß', 'Jäger', 'Köhler'], 'wurde storniert'],
  ['Russian', 'узел', 'кластера', ['гамма', 'дельта', 'альфа'], 'не отвечает'],
  ['Greek', 'χρήστης', 'του', ['Άννα', 'Ηώς', 'Ζωή'], 'δεν βρέθηκε'],
])('names are values in %s too', (_language, noun, of, names, words) => {
  const { templateOf } = createTemplateMiner();
  for (const name of names) templateOf(`${noun} ${of} ${name} ${words}`);
  expect(templateOf(`${noun} ${of} ${names[0]} ${words}`).text).toBe(`${noun} ${of} <*> ${words}`);
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

/** What a store holds after these messages, as its readers resolve it. */
async function minedOf(messages: readonly string[]): Promise<string[]> {
  const miner = createTemplateMiner();
  const given = messages.map((message) => miner.templateOf(message));
  const rows = new Map<string, Template>();
  for (const row of [...given, ...miner.takeMerged()]) if (row.merged || !rows.has(row.id)) rows.set(row.id, row);
  const read = async (ids: readonly string[]) => ids.map((id) => rows.get(id)).filter((row) => row !== undefined);
  const now = await currentTemplates([...rows.keys()], read);
  return given.map(({ id }) => now.get(id)!.text);
}

test('names that vary in one position are a value, also in what was said before that was known', async () => {
  const names = ['ann', 'bob', 'cyd', 'dan'];
  expect(new Set(await minedOf(names.map((name) => `cache of ${name} was flushed`)))).toEqual(
    new Set(['cache of <*> was flushed']),
  );
  // Two positions, one after the other.
  const pairs = names.flatMap((from) => names.map((to) => `moved shelf ${from} next to ${to} again`));
  expect(new Set(await minedOf(pairs)).size).toBe(1);
});

test('what something is told by stays: states, verbs, protocol words, and messages of hardly a word', async () => {
  for (const words of [
    ['opened', 'closed', 'dropped', 'failed'],
    ['GET', 'PUT', 'POST', 'DELETE'],
    ['up', 'down', 'on', 'off'],
  ]) {
    expect(new Set(await minedOf(words.map((word) => `link to the peer ${word} now`))).size).toBe(words.length);
  }
  expect(new Set(await minedOf(['cache a', 'cache b', 'cache c', 'cache d'])).size).toBe(4);
});

test('what systems of many kinds say about values only is one template', async () => {
  const alike = [
    [
      'sshd[77]: Accepted key for ann from 10.0.0.1 port 4 ssh2',
      'sshd[8]: Accepted key for ann from 10.9.0.1 port 52044 ssh2',
    ],
    ['Jun  7 01:02:03 db1 kernel: eth0 up', 'Dec 17 11:12:13 db2 kernel: eth1 up'],
    ['Loaded Core: C:\\Win\\x64_a\\core.dll (0x8004)', 'Loaded Core: C:\\Win\\x64_b_6.1\\core.dll (0x1)'],
    ['attempt_17_0020_m_02_0 is : 0.23', 'attempt_18_1_m_1_0 is : 1.0'],
    ['stage 1.0 (TID 3). 1234 bytes sent', 'stage 12.1 (TID 44). 9 bytes sent'],
    ['lock=233, flags=0x1, tag="View Lock", ws=null', 'lock=7, flags=0x9, tag="A", ws=WorkSource{10}'],
    ['peers [10.0.0.1, 10.0.0.2, 10.0.0.3] joined', 'peers [10.0.0.9] joined'],
    ['GC took 3 ms, then 1.5 s of 40 MB', 'GC took 12 s, then 2 ms of 1.2 GB'],
    ['on Window{9f4ef63 u0 a.b.c/.Main}: gone', 'on Window{12ab u0 x.y.z/x.y.Other}: gone'],
    ['Memory: 1024 used: 512 free: 512', 'Memory: 8 used: 3 free: 5'],
    ['opened for user ann by (uid=0)', 'opened for user bob by (uid=7)'],
    ['com.acme.Shop$Cart@1f2e3d closed', 'com.acme.Shop$Cart@99aa11 closed'],
  ];
  for (const messages of alike) expect(new Set(await minedOf(messages)), messages[0]).toHaveLength(1);
});

test('a number or path beside a word is proof enough', async () => {
  expect(new Set(await minedOf(['cannot load /a/b for long', 'cannot load pwd for long'])).size).toBe(1);
});

test('a process that starts anew gives the ids that were given before', async () => {
  const messages = ['ann', 'bob', 'cyd', 'dan'].map((name) => `cache of ${name} was flushed`);
  const [one, other] = [createTemplateMiner(), createTemplateMiner()];
  expect(messages.map((message) => one.templateOf(message))).toEqual(
    messages.map((message) => other.templateOf(message)),
  );
  // The last one came when the position was known to vary.
  expect(one.templateOf(messages[0]!).id).toBe(one.templateOf(messages[3]!).id);
});

test('what one tenant says shapes nothing that another reads', () => {
  const templates = createTenantTemplates();
  for (const name of ['ann', 'bob', 'cyd', 'dan']) templates.templateOf(`cache of ${name} was flushed`, 'one');
  expect(templates.templateOf('cache of eve was flushed', 'other').text).toBe('cache of eve was flushed');
  expect(templates.takeMerged('other')).toEqual([]);
  expect(templates.takeMerged('one').length).toBeGreaterThan(0);
});
