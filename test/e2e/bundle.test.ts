/** One operation leaves a system as a bundle, and an empty system that takes it in answers the same. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatNanos } from '../../model/time.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely.
type Told = any;

const CORRELATION = 'order-4711';
const TRACE = '5b8efff798038103d269b633813fc60c';
const TOKENS = ['admin:all', 'read:reads'];
const BEARER = { authorization: 'Bearer all' };
let full: QuerySystem;
let empty: QuerySystem;

beforeAll(async () => {
  [full, empty] = await Promise.all([startQuerySystem({ tokens: TOKENS }), startQuerySystem({ tokens: TOKENS })]);
  await fill();
});

afterAll(async () => {
  await Promise.all([full?.stop(), empty?.stop()]);
});

test('the same questions get the same answers, ids and all', async () => {
  const bundle = await (await ask(full, `/export/${CORRELATION}`)).text();
  const [manifest, ...rest] = bundle
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(manifest.debug_bundle).toMatchObject({ version: 1, correlation_id: CORRELATION, spans: 2, metrics: 0 });
  expect(manifest.debug_bundle.insights).toBeGreaterThan(0);
  expect(rest.map((line) => Object.keys(line)[0])).toEqual(rest.map((line) => Object.keys(line)[0]).toSorted(bySignal));

  const questions = [
    `/correlations/${CORRELATION}`,
    `/traces/${TRACE}`,
    `/events?correlation_id=${CORRELATION}&event_type=error`,
    `/errors/${await errorId()}/explain`,
    '/state/service/cart',
    '/state/service/cart/history?key=stock.apples',
    `/insights?correlation_id=${CORRELATION}`,
  ];
  const answers = (system: QuerySystem) => Promise.all(questions.map((question) => dataOf(system, question)));
  const before = await answers(full);
  expect((await take(bundle)).status).toBe(201);
  expect(withoutArrival(await answers(empty))).toEqual(withoutArrival(before));
  expect((await dataOf(empty, '/state/service/cart')).complete).toBe(true);

  const again = (await (await take(bundle)).json()) as Told;
  expect(again.data).toMatchObject({ correlation_id: CORRELATION, spans: 2, insights: 0 });
  expect(withoutArrival(await answers(empty))).toEqual(withoutArrival(before));
  expect(await (await ask(empty, `/export/${CORRELATION}`)).text()).toContain('"stock"');

  const [version] = await dataOf(full, '/versions');
  expect(version).toMatchObject({ component_id: 'cart', version: '1.4', nodes: 1 });
  const { last_seen: _, ...known } = version; // to the minute
  expect(await dataOf(empty, '/versions')).toMatchObject([known]);
});

test('what nobody has cannot be exported', async () => {
  const response = await ask(full, '/export/no-such');
  expect(response.status).toBe(404);
  expect(((await response.json()) as Told).code).toBe('CORRELATION_NOT_FOUND');
});

const HEAD = { version: 1, correlation_id: 'x', exported_at: '', generator: '', logs: 0, spans: 0, metrics: 0 };
const HEAD_LINE = JSON.stringify({ debug_bundle: { ...HEAD, snapshots: 0, insights: 0, truncated: false } });

test.each([
  ['', 'body', 'empty'],
  ['{"resourceLogs":[]}', 'line 1', 'debug_bundle'],
  ['PK\u0003\u0004../../etc/passwd', 'line 1', 'not JSON'],
  [HEAD_LINE.replace('"version":1', '"version":2'), 'debug_bundle.version', 'version 1'],
  [`${HEAD_LINE}\n{"path":"../../x"}`, 'line 2', 'neither'],
  [`${HEAD_LINE}\n\n[1]`, 'line 3', 'object'],
  [`${HEAD_LINE}\n{"resourceLogs":7}`, 'line 2', ''],
  [`${HEAD_LINE}\n{"debug_insight":{"id":1}}`, 'line 2: ', ''],
])('what is no bundle is refused in words: %j', async (body, field, message) => {
  const response = await take(body);
  const problem = (await response.json()) as Told;
  expect([response.status, problem.code]).toEqual([422, 'INVALID']);
  expect(problem.errors[0].field).toContain(field);
  expect(problem.errors[0].message).toContain(message);
});

test('a bundle is taken from administrators, as NDJSON, to a bound', async () => {
  const reader = { authorization: 'Bearer reads' };
  expect((await take(HEAD_LINE, reader)).status).toBe(403);
  expect((await take(HEAD_LINE, { 'content-type': 'text/plain' })).status).toBe(415);
  expect((await take('x'.repeat(128 * 1024 * 1024 + 1))).status).toBe(413);
});

function ask(system: QuerySystem, path: string): Promise<Response> {
  return fetch(`${system.url}/api/debug${path}`, { headers: BEARER });
}

async function dataOf(system: QuerySystem, path: string) {
  const response = await ask(system, path);
  expect([path, response.status]).toEqual([path, 200]);
  return ((await response.json()) as Told).data;
}

function take(body: string, headers: Record<string, string> = {}): Promise<Response> {
  const all = { ...BEARER, 'content-type': 'application/x-ndjson', ...headers };
  return fetch(`${empty.url}/api/debug/import`, { method: 'POST', headers: all, body });
}

async function errorId(): Promise<string> {
  const [error] = await dataOf(full, `/events?correlation_id=${CORRELATION}&min_level=ERROR&event_type=error`);
  return error.id;
}

/** When something arrived, or an insight was made, is another thing there. */
function withoutArrival(answers: unknown): unknown {
  return JSON.parse(JSON.stringify(answers, (key, value) => (key === 'received_at' ? undefined : value)));
}

function bySignal(a: string, b: string): number {
  const order = ['resourceSpans', 'resourceLogs', 'resourceMetrics', 'debug_insight'];
  return order.indexOf(a) - order.indexOf(b);
}

async function fill(): Promise<void> {
  const base = BigInt(Date.now() - 60_000) * 1_000_000n;
  const at = (ms: number) => String(base + BigInt(ms) * 1_000_000n);
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
  const resource = {
    attributes: [text('service.name', 'cart'), text('service.instance.id', 'cart-1'), text('service.version', '1.4')],
  };
  const send = async (signal: string, body: object) => {
    const { jsonToProtobuf } = await import('../../otlp/json.ts');
    await full.send(signal as 'log', jsonToProtobuf(signal as 'log', Buffer.from(JSON.stringify(body))));
  };
  const span = (id: string, parentSpanId: string, start: number, end: number, failed: boolean) => ({
    ...{ traceId: TRACE, spanId: id, parentSpanId, name: `step ${id}`, kind: 2 },
    ...{ startTimeUnixNano: at(start), endTimeUnixNano: at(end), status: failed ? { code: 2, message: 'no' } : {} },
  });
  const spans = [
    span('eee19b7ec3c1b174', '', 0, 40_000, true),
    span('eee19b7ec3c1b175', 'eee19b7ec3c1b174', 5, 900, true),
  ];
  const correlation = text('debug.correlation_id', CORRELATION);
  const snapshot = (ms: number, type: string, body: object, attributes: object[]) => ({
    timeUnixNano: at(ms),
    eventName: 'debug.state.snapshot',
    body: { kvlistValue: { values: [{ key: 'stock', value: { kvlistValue: { values: [body] } } }] } },
    attributes: [text('debug.snapshot.type', type), text('debug.state.name', 'stock'), ...attributes],
  });
  const scope = { name: 'test', version: '1' };
  await send('span', {
    resourceSpans: [{ resource, schemaUrl: 'https://opentelemetry.io/schemas/1.40.0', scopeSpans: [{ scope, spans }] }],
  });
  await send('log', {
    resourceLogs: [
      {
        resource,
        scopeLogs: [
          {
            scope,
            logRecords: [
              // The base of the state is of another operation: it travels along.
              snapshot(-5000, 'full', { key: 'apples', value: { intValue: '7' } }, []),
              {
                timeUnixNano: at(10),
                traceId: TRACE,
                body: { stringValue: 'asking for stock' },
                attributes: [correlation],
              },
              snapshot(20, 'incremental', { key: 'pears', value: { intValue: '2' } }, [correlation]),
              snapshot(30, 'incremental', { key: 'apples', value: { intValue: '6' } }, [correlation]),
              {
                ...{ timeUnixNano: at(800), severityNumber: 17, traceId: TRACE, spanId: 'eee19b7ec3c1b175' },
                body: { stringValue: 'stock database does not answer' },
                attributes: [text('exception.type', 'TimeoutError'), text('exception.message', 'after 500 ms')],
              },
            ],
          },
        ],
      },
    ],
  });
  const generated = await fetch(`${full.url}/api/debug/insights/generate`, {
    method: 'POST',
    headers: { ...BEARER, 'content-type': 'application/json' },
    body: JSON.stringify({
      correlation_id: CORRELATION,
      start: formatNanos(base - 60_000_000_000n),
      end: formatNanos(base + 60_000_000_000n),
    }),
  });
  expect(((await generated.json()) as Told).data.length).toBeGreaterThan(0);
}
