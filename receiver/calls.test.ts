import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordTable } from '../model/records.ts';
import type { EdgeMinute } from '../model/rollup.ts';
import { jsonToProtobuf } from '../otlp/json.ts';
import { indexRequest } from '../otlp/walk.ts';
import { Calls } from './calls.ts';

const MINUTE = 60_000_000_000n;
const NOON = 1_768_478_400_000_000_000n;

interface Span {
  by: string;
  id: number;
  parent?: number;
  trace?: number;
  kind?: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  name?: string;
  ms?: number;
  minute?: number;
  failed?: boolean;
  attributes?: Record<string, string | number>;
}

/** A shop whose call stock answers, which asks a database that sends nothing. */
const REQUEST: readonly Span[] = [
  { by: 'shop', id: 1, kind: 'server', ms: 100 },
  { by: 'shop', id: 2, parent: 1, kind: 'client', ms: 60, attributes: { 'server.address': 'stock.internal' } },
  { by: 'stock', id: 3, parent: 2, kind: 'server', ms: 50, failed: true },
  {
    ...{ by: 'stock', id: 4, parent: 3, kind: 'client', ms: 40 },
    attributes: { 'db.system.name': 'postgresql', 'server.address': 'db.internal', 'server.port': 5432 },
  },
];
const EDGES = ['entry > shop 1 0 100', 'call shop > stock 1 1 60', 'peer stock > db.internal:5432 1 0 40'].sort();

test('calls, calls to peers and entries are counted with their errors, as long as the caller waited', () => {
  expect(sums(new Calls(16).edgesOf('t', [table(REQUEST)]))).toEqual(EDGES);
});

test('in whatever order and however many requests and flushes spans come, the sum is the same', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...REQUEST], { minLength: 4 }),
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      (spans, newFlush, newRequest) => {
        const calls = new Calls(16);
        const flushes: Span[][][] = [];
        for (const [i, span] of spans.entries()) {
          if (i === 0 || newFlush[i]) flushes.push([[]]);
          else if (newRequest[i]) flushes.at(-1)!.push([]);
          flushes.at(-1)!.at(-1)!.push(span);
        }
        const edges = flushes.flatMap((requests) => calls.edgesOf('t', requests.map(table)));
        expect(sums(edges)).toEqual(EDGES);
      },
    ),
  );
});

test('an answer whose caller has not been seen is unmatched until it is', () => {
  const calls = new Calls(16);
  const answer: Span = { by: 'stock', id: 3, parent: 2, kind: 'server', ms: 50 };
  const before = calls.edgesOf('t', [table([answer])]);
  expect(sums(before)).toEqual(['unmatched > stock 1 0 50']);
  const after = calls.edgesOf('t', [table([{ by: 'shop', id: 2, parent: 1, kind: 'client', ms: 60 }])]);
  expect(sums([...before, ...after])).toEqual(['call shop > stock 1 0 60']);
});

test('an answer counts in the minute in which it began', () => {
  const calls = new Calls(16);
  const edges = [
    ...calls.edgesOf('t', [table([{ by: 'shop', id: 2, kind: 'client', minute: 0 }])]),
    ...calls.edgesOf('t', [table([{ by: 'stock', id: 3, parent: 2, kind: 'server', minute: 1 }])]),
  ];
  expect(edges.map(({ kind, minute }) => [kind, (minute - NOON) / MINUTE])).toEqual([
    ['entry', 0n],
    ['call', 1n],
  ]);
});

test('a driver that names the peer again below a client span of the same component is the call', () => {
  const named = { kind: 'client' as const, attributes: { 'server.address': 'db' } };
  const spans: Span[] = [
    { by: 'shop', id: 1, kind: 'server' },
    { by: 'shop', id: 2, parent: 1, ...named },
    { by: 'shop', id: 3, parent: 2, ...named },
  ];
  expect(sums(new Calls(16).edgesOf('t', [table(spans)]))).toEqual(['entry > shop 1 0 0', 'peer shop > db 1 0 0']);
});

test('the same ids of another trace or another tenant are other spans', () => {
  const calls = new Calls(16);
  calls.edgesOf('t', [table([{ by: 'shop', id: 2, trace: 1, kind: 'client' }])]);
  const answer: Span = { by: 'stock', id: 3, parent: 2, kind: 'server' };
  expect(sums(calls.edgesOf('t', [table([{ ...answer, trace: 2 }])]))).toEqual(['unmatched > stock 1 0 0']);
  expect(sums(calls.edgesOf('u', [table([{ ...answer, trace: 1 }])]))).toEqual(['unmatched > stock 1 0 0']);
});

test('only so many spans are remembered: what comes later than that stays unmatched', () => {
  const calls = new Calls(16);
  calls.edgesOf('t', [table([{ by: 'shop', id: 2, kind: 'client' }])]);
  for (let id = 10; id < 30; id++) calls.edgesOf('t', [table([{ by: 'other', id }])]);
  expect(sums(calls.edgesOf('t', [table([{ by: 'stock', id: 3, parent: 2, kind: 'server' }])]))).toEqual([
    'unmatched > stock 1 0 0',
  ]);
});

test('peers and components beyond the bound are counted under one name', () => {
  const edges = new Calls(16).edgesOf('t', [table(REQUEST)], (kind) => kind !== 'peer');
  expect(sums(edges)).toContain('peer stock > otel.overflow 1 0 40');
  expect(sums(new Calls(16).edgesOf('t', [table(REQUEST)], () => false))).toContain('entry > otel.overflow 1 0 100');
});

test.each([
  [{ 'net.peer.name': 'old', 'net.peer.port': '80' }, 'old:80'],
  [{ 'network.peer.address': '10.0.0.1', 'server.address': 'new' }, 'new'],
  [{ 'db.system': 'redis' }, 'redis'],
  [{ 'messaging.system': 'kafka', 'peer.service': 'bus' }, 'bus'],
])('a peer is named as %j say', (attributes, name) => {
  const edges = new Calls(16).edgesOf('t', [table([{ by: 'a', id: 1, kind: 'producer', attributes }])]);
  expect(edges.find(({ kind }) => kind === 'peer')).toMatchObject({ to_type: 'service', to_id: name });
});

test('an agent calls the tools and the model that it names, and an MCP server as who answers', () => {
  const agent = { 'gen_ai.agent.name': 'planner' };
  const tool = { ...agent, 'gen_ai.tool.name': 'book' };
  const spans: Span[] = [
    { by: 'desk', id: 1, kind: 'internal', name: 'invoke_agent planner', attributes: agent },
    { by: 'desk', id: 2, parent: 1, kind: 'client', attributes: { ...agent, 'gen_ai.provider.name': 'openai' } },
    { by: 'desk', id: 3, parent: 1, kind: 'internal', name: 'execute_tool book', attributes: tool, failed: true },
    // Over a pipe to a server that sends nothing, and to one that does.
    {
      by: 'desk',
      id: 4,
      parent: 1,
      kind: 'client',
      name: 'tools/call look-up',
      attributes: { ...tool, 'gen_ai.tool.name': 'look-up' },
    },
    {
      by: 'desk',
      id: 5,
      parent: 1,
      kind: 'internal',
      name: 'execute_tool pay',
      attributes: { ...agent, 'gen_ai.tool.name': 'pay' },
    },
    {
      by: 'desk',
      id: 6,
      parent: 5,
      kind: 'client',
      name: 'tools/call pay',
      attributes: { ...agent, 'gen_ai.tool.name': 'pay' },
    },
    { by: 'till', id: 7, parent: 6, kind: 'server', name: 'tools/call pay', attributes: { 'gen_ai.tool.name': 'pay' } },
    // A name alone is no tool's.
    { by: 'desk', id: 8, parent: 1, kind: 'internal', name: 'execute_tool ', attributes: tool },
  ];
  expect(sums(new Calls(16).edgesOf('t', [table(spans)]))).toEqual([
    'call planner > till 1 0 0',
    'entry > planner 1 0 0',
    'peer planner > book 1 1 0',
    'peer planner > look-up 1 0 0',
    'peer planner > openai 1 0 0',
  ]);
});

test('fields in an unusual order say the same', () => {
  // Parent and kind behind the attributes: field 9 (server.address=db), 6 (client), 4 (parent), 2 (span id), 1 (trace id).
  const address = [0x0a, 14, ...Buffer.from('server.address'), 0x12, 4, 0x0a, 2, ...Buffer.from('db')];
  const span = [0x4a, address.length, ...address, 0x30, 3, 0x22, 8, ...Array(8).fill(9), 0x12, 8, ...Array(8).fill(1)];
  span.push(0x0a, 16, ...Array(16).fill(7));
  const scope = [0x12, span.length, ...span];
  const resource = [0x12, scope.length, ...scope];
  const { records } = indexRequest('span', Uint8Array.from([0x0a, resource.length, ...resource]));
  expect(new Calls(16).edgesOf('t', [records])).toMatchObject([{ kind: 'peer', to_id: 'db' }]);
});

/** As `kind from > to calls errors milliseconds`, sorted; what was taken back is left out. */
function sums(edges: readonly EdgeMinute[]): string[] {
  const byName = new Map<string, EdgeMinute>();
  for (const edge of edges) {
    const name = [edge.kind, edge.from_id, '>', edge.to_id].filter((part) => part !== '').join(' ');
    const known = byName.get(name);
    if (known === undefined) byName.set(name, edge);
    else {
      known.calls += edge.calls;
      known.errors += edge.errors;
      known.latency.merge(edge.latency);
    }
  }
  const lines = [...byName].filter(([, { latency, calls, errors }]) => calls !== 0 || errors !== 0 || !latency.isEmpty);
  return lines
    .map(([name, { calls, errors, latency }]) => `${name} ${calls} ${errors} ${Math.round(latency.quantile(0.5)!)}`)
    .sort();
}

function table(spans: readonly Span[]): RecordTable {
  const resourceSpans = spans.map(
    ({ by, id, name = 's', parent, trace = 1, kind, ms = 0, minute = 0, failed, attributes = {} }) => ({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: by } }] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: trace.toString(16).padStart(32, '0'),
              spanId: id.toString(16).padStart(16, '0'),
              ...(parent !== undefined && { parentSpanId: parent.toString(16).padStart(16, '0') }),
              name,
              kind: { server: 2, client: 3, producer: 4, consumer: 5, internal: 1 }[kind ?? 'internal'],
              startTimeUnixNano: String(NOON + BigInt(minute) * MINUTE),
              endTimeUnixNano: String(NOON + BigInt(minute) * MINUTE + BigInt(ms) * 1_000_000n),
              status: failed ? { code: 2 } : {},
              attributes: Object.entries(attributes).map(([key, value]) => ({
                key,
                value: typeof value === 'string' ? { stringValue: value } : { intValue: value },
              })),
            },
          ],
        },
      ],
    }),
  );
  return indexRequest('span', jsonToProtobuf('span', Buffer.from(JSON.stringify({ resourceSpans })))).records;
}
