/**
 * F32: two tenants do the same things at random, under the same names and ids; whatever one of them asks, nothing of the other is in the
 * answer. Every record bears the mark of whose it is.
 */
import { once } from 'node:events';
import { Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { WebSocket } from 'ws';
import { API_PREFIX, ROUTES } from '../../query/rest/routes.ts';
import { startCollector, type TestCollector } from '../support/collector.ts';
import { createClient } from '../support/grpc-client.ts';
import { createDatabase } from '../support/postgres.ts';

const TENANTS = ['acme', 'zeta'] as const;
type Tenant = (typeof TENANTS)[number];
const other = (tenant: Tenant): Tenant => (tenant === 'acme' ? 'zeta' : 'acme');
const tokenOf = (tenant: Tenant) => `token-of-${tenant}`;
const markOf = (tenant: Tenant) => `mark-of-${tenant}`;
const TRACE = '5b8efff798038103d269b633813fc60c';

/** What a tenant does; names are few, so that both use the same. */
type Step = { kind: 'event' | 'error' | 'state' | 'session' | 'span' | 'metric' | 'generate'; name: string };
const step = fc.record({
  kind: fc.constantFrom<Step['kind']>('event', 'error', 'state', 'session', 'span', 'metric', 'generate'),
  name: fc.constantFrom('cart', 'pay'),
});
const schedule = fc.array(fc.tuple(fc.constantFrom(...TENANTS), step), { minLength: 6, maxLength: 14 });

describe.each([
  ['embedded', async () => ({ settings: {}, drop: async () => {} })],
  [
    'PostgreSQL and Redis',
    async () => {
      const database = await createDatabase(inject('pgUrl'));
      const prefix = `test-${Math.random().toString(36).slice(2)}`;
      const settings = { 'pg-url': database.url, 'redis-url': inject('redisUrl'), 'redis-key-prefix': prefix };
      return { settings, drop: database.drop };
    },
  ],
])('F32 on %s', (_, prepare) => {
  let system: TestCollector;
  let drop: () => Promise<void>;
  const heard: Record<Tenant, string[]> = { acme: [], zeta: [] };
  /** Ids that answers gave to each. */
  const ids: Record<Tenant, Map<string, string>> = { acme: new Map(), zeta: new Map() };
  const sockets: WebSocket[] = [];
  let client: ReturnType<typeof createClient>;

  beforeAll(async () => {
    const prepared = await prepare();
    drop = prepared.drop;
    const tokens = TENANTS.map((tenant) => `admin@${tenant}:${tokenOf(tenant)}`).join(',');
    system = await startCollector({ ...prepared.settings, 'api-tokens': tokens });
    client = createClient(Number(system.grpc.split(':').at(-1)));
    for (const tenant of TENANTS) {
      const socket = new WebSocket(`${system.http.replace('http', 'ws')}/ws/debug`, { headers: headersOf(tenant) });
      socket.on('message', (data) => heard[tenant].push(String(data)));
      await once(socket, 'open');
      for (const channel of ['debug:all', 'debug:cart', 'debug:correlation:cart']) {
        socket.send(JSON.stringify({ action: 'subscribe', channel }));
      }
      sockets.push(socket);
    }
  });
  afterAll(async () => {
    client?.close();
    for (const socket of sockets) socket.terminate();
    await system?.stop();
    await drop();
  });

  const headersOf = (tenant: Tenant) => ({ authorization: `Bearer ${tokenOf(tenant)}` });

  async function ask(tenant: Tenant, method: string, path: string, body?: unknown) {
    const response = await fetch(system.http + path, {
      method,
      headers: { ...headersOf(tenant), 'content-type': 'application/json' },
      ...(method !== 'GET' && { body: JSON.stringify(body ?? {}) }),
    });
    return { status: response.status, text: await response.text() };
  }

  async function send(tenant: Tenant, path: string, body: unknown): Promise<void> {
    const response = await fetch(system.otlpHttp + path, {
      method: 'POST',
      headers: { ...headersOf(tenant), 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
  }

  async function take(tenant: Tenant, { kind, name }: Step): Promise<void> {
    const mark = markOf(tenant);
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: name } }] };
    const now = `${Date.now()}000000`;
    const attributes = [
      { key: 'mark', value: { stringValue: mark } },
      { key: 'operation_id', value: { stringValue: name } },
    ];
    if (kind === 'event' || kind === 'error') {
      const common = { component_type: 'service', component_id: name, correlation_id: name, operation_id: name };
      const event = {
        ...common,
        event_type: kind === 'event' ? 'log' : 'error',
        message: `${name} of ${mark} failed`,
        data: { mark },
      };
      remember(tenant, 'event_id', await ask(tenant, 'POST', '/api/debug/events', event));
    } else if (kind === 'state') {
      const state = {
        component_type: 'service',
        component_id: name,
        operation_id: name,
        correlation_id: name,
        state_data: { mark },
      };
      remember(tenant, 'snapshot_id', await ask(tenant, 'POST', '/api/debug/state', state));
    } else if (kind === 'session') {
      remember(
        tenant,
        'session_id',
        await ask(tenant, 'POST', '/api/debug/sessions', { session_name: `${name} ${mark}` }),
      );
    } else if (kind === 'generate') {
      remember(
        tenant,
        'insight_id',
        await ask(tenant, 'POST', '/api/debug/insights/generate', { correlation_id: name }),
      );
    } else if (kind === 'span') {
      const span = {
        traceId: TRACE,
        spanId: 'eee19b7ec3c1b174',
        name: `GET ${mark}`,
        startTimeUnixNano: now,
        endTimeUnixNano: now,
        attributes,
      };
      await send(tenant, '/v1/traces', { resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });
    } else {
      const point = { timeUnixNano: now, asInt: '7', attributes };
      const metric = { name: `queue.${mark}`, gauge: { dataPoints: [point] } };
      await send(tenant, '/v1/metrics', { resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [metric] }] }] });
    }
  }

  function remember(tenant: Tenant, kind: string, { text }: { text: string }): void {
    const { data } = JSON.parse(text) as { data: Record<string, string> | Record<string, string>[] };
    const first = Array.isArray(data) ? data[0] : data;
    const id = first?.[kind] ?? first?.id;
    if (id !== undefined) ids[tenant].set(kind, id);
  }

  /** Every question that can be asked by a path alone, with one's own names and with the ids of the other. */
  function* questions(tenant: Tenant): Generator<string> {
    for (const route of ROUTES.filter(({ method }) => method === 'get')) {
      const parameters: Record<string, string> = {
        component_type: 'service',
        component_id: 'cart',
        correlation_id: 'cart',
        operation_id: 'cart',
        trace_id: TRACE,
      };
      const path = route.path.replace(
        /\{(\w+)\}/g,
        (_, name: string) =>
          ids[other(tenant)].get(name) ?? parameters[name] ?? ids[other(tenant)].get('event_id') ?? 'cart',
      );
      yield API_PREFIX + path;
    }
    for (const query of [
      'q=mark',
      `q=${markOf(other(tenant))}`,
      `attr.mark=${markOf(other(tenant))}`,
      'correlation_id=cart',
      `trace_id=${TRACE}`,
    ]) {
      yield `${API_PREFIX}/events?${query}`;
    }
  }

  const BODIES: Record<string, unknown> = {
    '/analytics/component-health': { component_type: 'service', component_id: 'cart' },
    '/analytics/performance': { component_type: 'service', component_id: 'cart' },
    '/analytics/consistency': { operation_id: 'cart' },
    '/analytics/compare': {
      components: [
        { type: 'service', id: 'cart' },
        { type: 'service', id: 'pay' },
      ],
    },
    '/insights/generate': {},
    '/ai/query': { question: 'why did cart fail?' },
  };

  const component = { type: 'service', id: 'cart' };
  const MCP_CALLS: [string, object][] = [
    ['ask', { question: 'why did cart fail?' }],
    ['health', {}],
    ['health', { component: 'cart' }],
    ['search', { q: 'mark' }],
    ['trace', { id: 'cart' }],
    ['trace', { id: TRACE }],
    ['changes', {}],
  ];
  const RPCS: [string, object][] = [
    ['queryEvents', { filter: { correlationId: 'cart' } }],
    ['queryInsights', {}],
    ['getComponentHealth', { componentType: 'service', componentId: 'cart' }],
    ['getOperationProgress', { operationId: 'cart' }],
    ['compareComponents', { components: [component, { ...component, id: 'pay' }] }],
    ['ask', { question: 'how is cart?' }],
  ];

  async function call(tenant: Tenant, name: string, input: object): Promise<string> {
    const response = await fetch(`${system.http}/mcp`, {
      method: 'POST',
      headers: {
        ...headersOf(tenant),
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } }),
    });
    expect([name, response.status]).toEqual([name, 200]);
    return response.text();
  }

  async function rpc(tenant: Tenant, method: string, request: object): Promise<string> {
    const metadata = new Metadata();
    metadata.set('authorization', headersOf(tenant).authorization);
    const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
    try {
      const answered =
        method === 'queryEvents' ? client.all(method, request, metadata) : client.unary(method, request, metadata);
      return JSON.stringify(await answered, plain);
    } catch (error) {
      return String(error);
    }
  }

  it('nothing of the other is in any answer, list, stream or search', async () => {
    await fc.assert(
      fc.asyncProperty(schedule, async (steps) => {
        for (const [tenant, step] of steps) await take(tenant, step);
        for (const tenant of TENANTS) {
          const theirs = [
            markOf(other(tenant)),
            ...[...ids[other(tenant)]].filter(([, id]) => !own(tenant, id)).map(([, id]) => `"${id}"`),
          ];
          const answers: [string, string][] = [];
          for (const path of questions(tenant)) answers.push([path, (await ask(tenant, 'GET', path)).text]);
          for (const [path, body] of Object.entries(BODIES))
            answers.push([path, (await ask(tenant, 'POST', API_PREFIX + path, body)).text]);
          for (const [tool, input] of MCP_CALLS) answers.push([`mcp ${tool}`, await call(tenant, tool, input)]);
          for (const [method, request] of RPCS) answers.push([`gRPC ${method}`, await rpc(tenant, method, request)]);
          answers.push(['live', heard[tenant].join('')]);
          for (const [path, text] of answers) {
            // What a question names its answer may name.
            const said = decodeURIComponent(path);
            for (const their of theirs)
              if (!said.includes(their.replaceAll('"', ''))) expect(text, path).not.toContain(their);
          }
        }
      }),
      { numRuns: 4 },
    );
    for (const tenant of TENANTS) expect(heard[tenant].join('')).toContain(markOf(tenant));
  }, 60_000);

  /** Records of both that are the same in everything have the same id. */
  function own(tenant: Tenant, id: string): boolean {
    return [...ids[tenant].values()].includes(id);
  }

  it('an id of the other is unknown, to look at and to change', async () => {
    for (const tenant of TENANTS) {
      for (const kind of ['event', 'state', 'session', 'error', 'generate'] as const)
        await take(tenant, { kind, name: 'cart' });
    }
    for (const tenant of TENANTS) {
      const their = ids[other(tenant)];
      const calls: [string, string, unknown?][] = [
        ['GET', `/events/${their.get('event_id')}`],
        ['GET', `/errors/${their.get('event_id')}/explain`],
        ['PUT', `/sessions/${their.get('session_id')}/close`],
        ['GET', `/insights/${their.get('insight_id')}`],
        ['GET', `/errors/${their.get('insight_id')}/explain`],
        ['PUT', `/insights/${their.get('insight_id')}/resolve`, { resolution_notes: 'mine' }],
        ['PUT', `/insights/${their.get('insight_id')}/ignore`],
        ['PUT', `/insights/${their.get('insight_id')}/reopen`],
        // A snapshot's id is its event's.
        ['GET', `/events/${their.get('snapshot_id')}`],
      ];
      expect(calls.every(([, path]) => !path.includes('undefined'))).toBe(true);
      for (const [method, path, body] of calls) {
        const { status } = await ask(tenant, method, API_PREFIX + path, body);
        expect([path, status]).toEqual([path, 404]);
      }
      const open = JSON.parse((await ask(other(tenant), 'GET', `${API_PREFIX}/sessions?active=true`)).text) as {
        data: { id: string; session_id?: string }[];
      };
      expect(JSON.stringify(open.data)).toContain(their.get('session_id'));
    }
  });
});
