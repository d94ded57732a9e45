import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExportLogsServiceRequestSchema } from '../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import { ExportMetricsServiceRequestSchema } from '../proto/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.js';
import { ExportTraceServiceRequestSchema } from '../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import type { AnyValueSchema, KeyValueSchema } from '../proto/gen/opentelemetry/proto/common/v1/common_pb.js';
import { createRedactor, type RedactorSettings } from './redact.ts';
import type { RedactionRule } from './secrets.ts';

type Value = MessageInitShape<typeof AnyValueSchema>;
const SETTINGS: RedactorSettings = { keys: [], allowKeys: [], emails: false, patterns: [], hashKey: '' };
const text = (value: string): Value => ({ value: { case: 'stringValue', value } });
const list = (...values: Value[]): Value => ({ value: { case: 'arrayValue', value: { values } } });
const map = (entries: Record<string, Value>): Value => ({
  value: { case: 'kvlistValue', value: { values: pairs(entries) } },
});
const pairs = (entries: Record<string, Value>): MessageInitShape<typeof KeyValueSchema>[] =>
  Object.entries(entries).map(([key, value]) => ({ key, value }));

/** The body of a log record after it went through, and what was counted. */
function redacted(
  body: Value,
  attributes: Record<string, Value> = {},
  settings: Partial<RedactorSettings> = {},
  tenant = 'a',
) {
  const bytes = toBinary(
    ExportLogsServiceRequestSchema,
    create(ExportLogsServiceRequestSchema, {
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ body, attributes: pairs(attributes) }] }] }],
    }),
  );
  const length = bytes.length;
  const rules: RedactionRule[] = [];
  createRedactor({ ...SETTINGS, ...settings })('log', bytes, tenant, (rule) => rules.push(rule));
  expect(bytes.length).toBe(length);
  const record = fromBinary(ExportLogsServiceRequestSchema, bytes).resourceLogs[0]!.scopeLogs[0]!.logRecords[0]!;
  return {
    body: record.body?.value.value,
    attributes: record.attributes.map(({ value }) => value?.value.value),
    rules,
    record,
  };
}

const stars = (length: number) => '*'.repeat(length);
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1g';
const PEM = '-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----';

describe('F38 corpus: in a text', () => {
  /** What is between ‹ and › goes, the rest stays. */
  test.each([
    ['password=‹hunter2›', 'assignment'],
    ['login failed for bob, password: ‹hunter2›, retrying', 'assignment'],
    ['PASSWORD = ‹hunter2›', 'assignment'],
    ['{"user":"bob","password":"‹hun ter,2›"}', 'assignment'],
    ['{\\"user\\":\\"bob\\",\\"api_key\\":\\"‹abc123›\\"}', 'assignment'],
    ["config {dbPassword: '‹s3cr3t›'}", 'assignment'],
    ['Authorization: Bearer ‹abcdef123456›', 'assignment'],
    ['authorization: basic ‹dXNlcjpwYXNz›', 'assignment'],
    ['GET /cb?code=7&access_token=‹ya29.a0Af›&state=1', 'assignment'],
    ['GET /files?sv=1&sig=‹pXv%2Fq3D›', 'assignment'],
    ['token=‹abc.def›; path=/', 'assignment'],
    ['Server=db;User Id=sa;Password=‹Str0ng!›;Encrypt=true', 'assignment'],
    ['cannot reach postgres://app:‹p4ss:w0rd›@db:5432/shop', 'url_credentials'],
    ['redis://:‹p4ssw0rd›@cache:6379', 'url_credentials'],
    ['clone https://‹ghp_16C7e42F292c6912E7›@github.com/a/b', 'url_credentials'],
    ['sent Bearer ‹abcdef123456› to them', 'bearer'],
    [`got ‹${JWT}› back`, 'jwt'],
    ['key ‹AKIAIOSFODNN7EXAMPLE› is disabled', 'aws_key'],
    ['-----BEGIN PRIVATE KEY-----‹\nMIIEow\nIBAAKC\n›-----END PRIVATE KEY-----', 'private_key'],
    ['-----BEGIN OPENSSH PRIVATE KEY-----‹\nb3BlbnNzaC1r›', 'private_key'],
    ['paid with ‹4111 1111 1111 1111› today', 'card'],
    ['paid with ‹4111111111111111›', 'card'],
    ['amex ‹3782-822463-10005›', 'card'],
  ] as [string, RedactionRule][])('%s', (marked, rule) => {
    const raw = marked.replace(/[‹›]/g, '');
    const masked = marked.replace(/‹(.*?)›/gs, (_, secret: string) => stars(Buffer.byteLength(secret)));
    const result = redacted(text(raw));
    expect(result.body).toBe(masked);
    expect(result.rules).toEqual([rule]);
    expect(redacted(list(text('x'), map({ note: text(raw) }))).rules).toEqual([rule]);
    expect(redacted(text(masked)).body).toBe(masked);
  });

  test.each([
    'unexpected token: } at line 3',
    'the secret of success is work',
    'password must be 8 characters',
    'tokens=512 used',
    'input_tokens: 512',
    'key=cart-7 missed the cache',
    'GET http://shop:8080/cart?id=7&key=9',
    'git@github.com:a/b.git and ssh://git@host/x',
    'bearer of bad news',
    'order 4111 1111 1111 1112 shipped',
    'trace 4111111111111111aa',
    'id 14111111111111111 and 1700000000000000000',
    'at 2026-01-12 10:11:12.131415 4111-1111',
    'AKIAIOSFODNN7EXAMPLEX is none',
    'eyJ is how it begins',
    'mail bob@example.com',
    '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
    'Jacketyard IBAN: DE00 Big Basket = 7',
    'ünïcödé “quotes”: “nothing”',
  ])('and of %s nothing', (raw) => {
    expect(redacted(text(raw), { note: text(raw) })).toMatchObject({ body: raw, rules: [] });
  });
});

describe('F38 corpus: under a key', () => {
  test.each([
    'password',
    'db.password',
    'DB_PASSWORD',
    'dbPassword',
    'http.request.header.authorization',
    'http.request.header.cookie',
    'http.response.header.set-cookie',
    'x-api-key',
    'api_key',
    'clientSecret',
    'aws.secret_access_key',
    'auth.token',
    'csrf-token',
  ])('%s every text goes, however deep', (key) => {
    const found = redacted(text('hi'), {
      [key]: map({ a: list(text('first'), map({ b: text('second') })), n: { value: { case: 'intValue', value: 7n } } }),
    });
    expect(found.rules).toEqual(['key', 'key']);
    expect(JSON.stringify(found.record, (_, v) => (typeof v === 'bigint' ? Number(v) : v))).not.toMatch(/first|second/);
    expect(redacted(text('hi'), { [key]: text('s') }).attributes).toEqual(['*']);
  });

  test.each([
    'gen_ai.usage.input_tokens',
    'cache.key',
    'code.function.name',
    'password_hint_shown',
    'cookie_count',
    'secretary',
  ])('%s nothing does', (key) => expect(redacted(text('hi'), { [key]: text('value') }).attributes).toEqual(['value']));

  test('numbers stay, and bytes go', () => {
    const { attributes } = redacted(text('hi'), {
      token: { value: { case: 'intValue', value: 512n } },
      secret: { value: { case: 'bytesValue', value: Uint8Array.of(1, 2, 3) } },
    });
    expect(attributes).toEqual([512n, Uint8Array.of(0x2a, 0x2a, 0x2a)]);
  });

  test('an argument announces the next one', () => {
    const { record } = redacted(text('hi'), {
      'process.command_args': list(text('psql'), text('--password'), text('hunter2'), text('-v')),
    });
    expect(JSON.stringify(record.attributes)).toContain(`"--password"`);
    expect(JSON.stringify(record.attributes)).not.toContain('hunter2');
    expect(JSON.stringify(record.attributes)).toContain('"-v"');
  });
});

describe('settings', () => {
  test('more keys, and keys that are none', () => {
    const settings = { keys: ['Badge'], allowKeys: ['llm.token'] };
    const found = redacted(
      text('llm.token=abc badge=9'),
      { 'llm.token': text('Hello'), 'user.badge': text('0815'), token: text('abc') },
      settings,
    );
    expect(found.attributes).toEqual(['Hello', '****', '***']);
    expect(found.body).toBe('llm.token=abc badge=*');
  });

  test('e-mail only when it is asked for', () => {
    expect(redacted(text('to bob@example.com now'), {}, { emails: true }).body).toBe(`to ${stars(15)} now`);
  });

  test('patterns, by characters and not by bytes', () => {
    const pattern = {
      matches: (value: string) => [...value.matchAll(/№\d+/g)].map((m) => [m.index, m.index + m[0].length] as const),
    };
    expect(redacted(text('ü №12 ü №3'), {}, { patterns: [pattern] }).body).toBe(`ü ${stars(5)} ü ${stars(4)}`);
  });

  test('a hash tells equal secrets of one tenant, and nothing across tenants', () => {
    const of = (secret: string, tenant: string) =>
      redacted(text('x'), { password: text(secret) }, { hashKey: 'k' }, tenant).attributes[0];
    const secret = 'correct horse battery';
    expect(of(secret, 'a')).toMatch(/^\*[0-9a-f]{14}\*{6}$/);
    expect(of(secret, 'a')).toBe(of(secret, 'a'));
    expect(of(secret, 'a')).not.toBe(of(secret, 'b'));
    expect(of('short', 'a')).toBe('*****');
  });
});

test('every place where a span or a metric has texts is looked at', () => {
  const attributes = pairs({ password: text('hunter2') });
  const spans = toBinary(
    ExportTraceServiceRequestSchema,
    create(ExportTraceServiceRequestSchema, {
      resourceSpans: [
        {
          resource: { attributes },
          scopeSpans: [
            {
              scope: { attributes },
              spans: [
                {
                  name: 'GET /?password=hunter2',
                  attributes,
                  events: [{ name: 'password=hunter2', attributes }],
                  links: [{ attributes }],
                  status: { message: 'password=hunter2' },
                },
              ],
            },
          ],
        },
      ],
    }),
  );
  const exemplars = [{ filteredAttributes: attributes, value: { case: 'asInt', value: 1n } as const }];
  const point = { attributes, exemplars };
  const metrics = toBinary(
    ExportMetricsServiceRequestSchema,
    create(ExportMetricsServiceRequestSchema, {
      resourceMetrics: [
        {
          resource: { attributes },
          scopeMetrics: [
            {
              scope: { attributes },
              metrics: [
                { metadata: attributes, data: { case: 'gauge', value: { dataPoints: [point] } } },
                { data: { case: 'sum', value: { dataPoints: [point] } } },
                { data: { case: 'histogram', value: { dataPoints: [point] } } },
                { data: { case: 'exponentialHistogram', value: { dataPoints: [point] } } },
                { data: { case: 'summary', value: { dataPoints: [{ attributes }] } } },
              ],
            },
          ],
        },
      ],
    }),
  );
  const redact = createRedactor(SETTINGS);
  let count = 0;
  redact('span', spans, 'a', () => count++);
  redact('metric', metrics, 'a', () => count++);
  expect(count).toBe(8 + 12);
  for (const bytes of [spans, metrics]) expect(Buffer.from(bytes).includes('hunter2')).toBe(false);
});

test('whatever the bytes are, it ends, never throws and changes no length', () => {
  const redact = createRedactor({ ...SETTINGS, emails: true });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom('span', 'log', 'metric'), (bytes, signal) => {
      redact(signal as 'span', bytes, 'a', () => {});
    }),
    { numRuns: 2000 },
  );
});

test('in turns comes out what comes out at once, whatever others do in between', async () => {
  const request = (secret: string) => {
    const logRecords = Array.from({ length: 3000 }, (_, i) => ({
      body: text(`attempt ${i} with password=${secret} took ${i} ms`),
      attributes: pairs({ 'user.name': text('bob'), cookie: text(secret), note: text('x'.repeat(i % 200)) }),
    }));
    const scopeLogs = [{ logRecords }, { logRecords: logRecords.slice(0, 7) }];
    return toBinary(
      ExportLogsServiceRequestSchema,
      create(ExportLogsServiceRequestSchema, { resourceLogs: [{ scopeLogs }, { scopeLogs }] }),
    );
  };
  const redact = createRedactor(SETTINGS);
  const [one, other] = [request('hunter2'), request('swordfish')];
  const atOnce = one.slice();
  let [count, counted] = [0, 0];
  redact('log', atOnce, 'a', () => counted++);
  await Promise.all([redact.inTurns('log', one, 'a', () => count++), redact.inTurns('log', other, 'b', () => {})]);
  expect(one.length).toBeGreaterThan(2 * 256 * 1024);
  expect(Buffer.compare(one, atOnce)).toBe(0);
  expect([count, counted]).toEqual([4 * 3007, 4 * 3007]);
  expect(Buffer.from(other).includes('swordfish')).toBe(false);
});

test('any text with a secret in it: the secret goes and what is around it stays', () => {
  const around = fc.string({ unit: 'grapheme', maxLength: 40 }).map((s) => s.replace(/["'`\\=:@*]/g, ' '));
  fc.assert(
    fc.property(around, around, fc.stringMatching(/^[A-Za-z0-9]{4,30}$/), (before, after, secret) => {
      const raw = `${before} password="${secret}" ${after}`;
      expect(redacted(text(raw)).body).toBe(`${before} password="${stars(secret.length)}" ${after}`);
    }),
  );
});

test('what went through once goes through again unchanged, so that what is sent again is known', () => {
  const first = redacted(text(`password=hunter2 ${JWT} ${PEM}`), { cookie: text('a=b') }, { hashKey: 'k' });
  const again = redacted(text(first.body as string), { cookie: text(first.attributes[0] as string) });
  expect([again.body, again.attributes]).toEqual([first.body, first.attributes]);
});
