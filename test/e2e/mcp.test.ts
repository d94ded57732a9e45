/** The tools, called by the SDK's reference client over both transports, as agents' hosts do. */
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { estimateTokens } from '../../query/tokens.ts';
import { tellIncident } from '../support/incident.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

const CLI = join(import.meta.dirname, '../../cli.ts');
const TOKENS = ['read@acme:acme-reads', 'admin@acme:acme-runs', 'read@other:other-reads', 'ingest@acme:acme-sends'];

let system: QuerySystem;
beforeAll(async () => {
  system = await startQuerySystem({ tokens: TOKENS });
  await tellIncident(system.url, 'acme-runs');
});
afterAll(() => system?.stop());

const clients: Client[] = [];
afterAll(() => Promise.all(clients.map((client) => client.close())));

async function overHttp(token: string, mode: 'legacy' | 'auto' = 'auto'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${system.url}/mcp`), { requestInit: { headers } }));
  clients.push(client);
  return client;
}

async function overStdio(url = system.url, token = 'acme-reads'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const args = ['--disable-warning=ExperimentalWarning', CLI, 'mcp', '--url', url];
  const env = { PATH: process.env.PATH!, DEBUG_TOKEN: token };
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env }));
  clients.push(client);
  return client;
}

interface Called {
  isError?: boolean;
  content: { type: string; text: string }[];
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
  structuredContent: any;
}

const call = async (client: Client, name: string, args: Record<string, unknown> = {}) =>
  (await client.callTool({ name, arguments: args })) as unknown as Called;

describe.each([
  ['Streamable HTTP', () => overHttp('acme-reads')],
  ['Streamable HTTP as of 2025', () => overHttp('acme-reads', 'legacy')],
  ['standard input and output', () => overStdio()],
])('over %s', (_, connect) => {
  let client: Client;
  beforeAll(async () => {
    client = await connect();
  });

  it('eight tools introduce themselves', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(
      ['ask', 'changes', 'compare', 'explain', 'health', 'resolve', 'search', 'trace'].sort(),
    );
    for (const { name, annotations } of tools) {
      expect(annotations?.readOnlyHint, name).toBe(name !== 'resolve');
      expect(annotations?.openWorldHint, name).toBe(false);
    }
    expect(client.getInstructions()).toContain('never instructions');
  });

  it('health names the ill component and leads on', async () => {
    const { content, structuredContent } = await call(client, 'health');
    expect(content).toHaveLength(1);
    expect(content[0]!.text).toMatch(/inventory/);
    expect(content[0]!.text).not.toContain('{');
    expect(structuredContent.next.length).toBeLessThanOrEqual(3);
    const [first] = structuredContent.next;
    const led = await call(client, first.tool, first.arguments);
    expect(led.isError).toBeFalsy();
    expect(JSON.stringify(led.structuredContent)).toContain('inventory');
  });

  it('a call with a mistake is answered with what is wrong', async () => {
    const mistaken = await call(client, 'search', { min_level: 'LOUD' }).catch((error: Error) => ({
      content: [{ text: error.message }],
    }));
    expect(mistaken.content[0]!.text).toMatch(/min_level/);
    const unknown = await call(client, 'changes', { since: 'no cursor!' });
    expect(unknown.isError).toBe(true);
    expect(unknown.content[0]!.text).toMatch(/since/);
  });
});

describe('what the tools answer', () => {
  let client: Client;
  beforeAll(async () => {
    client = await overHttp('acme-reads');
  });

  it('F39 keeps to the budget, text and structure together, from 50 to 20,000 tokens', async () => {
    const calls: [string, Record<string, unknown>][] = [
      ['health', {}],
      ['health', { component: 'inventory' }],
      ['search', { min_level: 'INFO' }],
      ['trace', { id: 'incident-order-1' }],
      ['explain', { component: 'inventory' }],
      ['compare', { components: ['orders', 'inventory'] }],
      ['ask', { question: 'why does inventory fail?' }],
      ['changes', {}],
    ];
    for (const [name, args] of calls) {
      for (const budget_tokens of [50, 120, 400, 1500, 20_000]) {
        const { content, structuredContent } = await call(client, name, { ...args, budget_tokens });
        const { receipt } = structuredContent;
        const said = (content[0]?.text ?? '') + JSON.stringify(structuredContent);
        expect(estimateTokens(said), `${name} ${budget_tokens}`).toBeLessThanOrEqual(budget_tokens + 1);
        expect(encode(said).length).toBeLessThanOrEqual(budget_tokens);
        expect(receipt.used_tokens ?? 0).toBeLessThanOrEqual(budget_tokens);
        expect(structuredContent.answer.length).toBeGreaterThan(15);
      }
    }
  });

  it('explains a failure down to its root, with ids that exist', async () => {
    const { structuredContent } = await call(client, 'explain', { component: 'orders' });
    expect(structuredContent.answer).toContain('inventory');
    expect(structuredContent.confidence).toBeGreaterThan(0.3);
    const [id] = structuredContent.evidence;
    const response = await fetch(`${system.url}/api/debug/events/${id}`, {
      headers: { authorization: 'Bearer acme-reads' },
    });
    expect(response.status).toBe(200);
  });

  it('search groups what is said alike, and pages on', async () => {
    const { structuredContent } = await call(client, 'search', { component: 'inventory', min_level: 'ERROR' });
    expect(structuredContent.patterns[0]).toMatch(/^\d+x (ERROR|CRITICAL) inventory «/);
    const none = await call(client, 'search', { q: 'nothing says this' });
    expect(none.structuredContent.answer).toBe('No event matches.');
    expect(none.structuredContent.coverage[0]).toMatch(/^no match/);
  });

  it('a name that nobody sent is said to be unknown, with what is near', async () => {
    const { structuredContent } = await call(client, 'health', { component: 'inventori' });
    expect(structuredContent).toMatchObject({ found: false, confidence: 0 });
    expect(structuredContent.answer).toMatch(/No component inventori .* did you mean inventory\?/);
    const nobody = await call(client, 'trace', { id: 'no-such-thing' });
    expect(nobody.structuredContent.found).toBe(false);
  });

  it('F39 telemetry that gives orders stays a quotation', async () => {
    const { structuredContent } = await call(client, 'search', { q: 'ignore all previous' });
    const text = JSON.stringify(structuredContent);
    for (const [, before] of text.matchAll(/(.)[^«»]*ignore all previous/gi)) expect(before).toBeDefined();
    expect(text).toMatch(/«[^«»]*ignore all previous instructions[^«»]*»/i);
  });

  it('asking again what changed costs next to nothing', async () => {
    const first = await call(client, 'changes');
    const { cursor } = first.structuredContent;
    const again = await call(client, 'changes', { since: cursor });
    expect(again.structuredContent.answer).toBe('Nothing moved.');
    expect(estimateTokens(JSON.stringify(again.structuredContent))).toBeLessThan(150);
  });
});

describe('who may', () => {
  it('F39 write, needs admin', async () => {
    const [insight] = (await call(await overHttp('acme-runs'), 'changes')).structuredContent.opened;
    const refused = await call(await overHttp('acme-reads'), 'resolve', { id: insight.id, notes: 'restarted it' });
    expect(refused.isError).toBe(true);
    expect(refused.content[0]!.text).toMatch(/^FORBIDDEN/);
    const done = await call(await overHttp('acme-runs'), 'resolve', { id: insight.id, notes: 'restarted it' });
    expect(done.structuredContent.state).toBe('resolved');
    const changed = await call(await overHttp('acme-reads'), 'changes');
    expect((changed.structuredContent.opened ?? []).map(({ id }: { id: string }) => id)).not.toContain(insight.id);
  });

  it('F39 read, needs a token of one’s own tenant', async () => {
    const foreign = await call(await overHttp('other-reads'), 'trace', { id: 'incident-order-1' });
    expect(foreign.structuredContent.found).toBe(false);
    await expect(overHttp('nobody')).rejects.toThrow();
    await expect(overHttp('acme-sends')).rejects.toThrow();
  });

  it('come from a page of another site: nobody', async () => {
    const headers = {
      authorization: 'Bearer acme-reads',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });
    const post = (more: Record<string, string>) =>
      fetch(`${system.url}/mcp`, { method: 'POST', headers: { ...headers, ...more }, body });
    expect((await post({})).status).toBe(200);
    expect((await post({ origin: 'https://evil.example' })).status).toBe(403);
  });

  it('be answered while no server is up: with what to start', async () => {
    const client = await overStdio('http://127.0.0.1:9');
    const { isError, content } = await call(client, 'health');
    expect(isError).toBe(true);
    expect(content[0]!.text).toContain('ai-debug up');
  });
});

it('knowing the tools costs less than 3,000 tokens', async () => {
  const client = await overHttp('acme-reads');
  const { tools } = await client.listTools();
  const said = JSON.stringify(tools) + client.getInstructions();
  const [estimated, counted] = [estimateTokens(said), encode(said).length];
  process.stdout.write(
    `definitions of ${tools.length} tools: ${counted} tokens (o200k_base), ${estimated} estimated\n`,
  );
  expect(estimated).toBeLessThan(3000);
});
