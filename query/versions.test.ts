import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatNanos, NANOS_PER_MINUTE } from '../model/time.ts';
import { jsonToProtobuf } from '../otlp/json.ts';
import { type QuerySystem, startQuerySystem } from '../test/support/query-system.ts';
import { draftCompare } from './agent/compare.ts';
import { draftExplain } from './agent/explain.ts';
import { type ComponentVersion, deploymentsOf } from './versions.ts';

let system: QuerySystem;
const NOW = BigInt(Date.now()) * 1_000_000n;
const ago = (minutes: number) => NOW - BigInt(minutes) * NANOS_PER_MINUTE;

beforeAll(async () => {
  system = await startQuerySystem();
  // Far more than a page of events after the last word of the version before.
  await logs('orders', { 'service.version': '2.0.3', 'vcs.ref.head.revision': 'aa' }, 'a', [300, 40]);
  await logs('orders', { 'service.version': '2.0.3', 'vcs.ref.head.revision': 'aa' }, 'b', [290, 35]);
  const often = Array.from({ length: 1200 }, (_, i) => 30 - i / 50);
  await logs('orders', { 'service.version': '2.1.0', 'vcs.ref.head.revision': 'bb' }, 'a', often);
  await logs('orders', { 'service.version': '2.1.0', 'vcs.ref.head.revision': 'bb' }, 'b', [20], 'ERROR');
  await logs('mail', { 'service.version': '7', 'telemetry.sdk.version': '1', 'browser.version': '9' }, 'a', [50, 1]);
  await logs('mail', { 'container.image.tags': ['7', 'stable'] }, 'b', [50]);
  await logs('mail', { 'service.version': '8' }, 'c', [240, 200], 'INFO', 'another');
  await system.needs.settled();
});
afterAll(() => system?.stop());

let bodies = 0;

async function logs(
  service: string,
  versions: Record<string, string | string[]>,
  node: string,
  minutesAgo: readonly number[],
  level = 'INFO',
  tenant = 'default',
): Promise<void> {
  const anyValue = (value: string | string[]) =>
    typeof value === 'string'
      ? { stringValue: value }
      : { arrayValue: { values: value.map((each) => ({ stringValue: each })) } };
  const said = { 'service.name': service, 'service.instance.id': node, ...versions };
  const attributes = Object.entries(said).map(([key, value]) => ({ key, value: anyValue(value) }));
  const logRecords = minutesAgo.map((minutes) => ({
    timeUnixNano: String(NOW - BigInt(Math.round(minutes * 60)) * 1_000_000_000n),
    severityNumber: level === 'ERROR' ? 17 : 9,
    body: { stringValue: level === 'ERROR' ? 'no stock' : `order ${bodies++} placed` },
  }));
  const request = { resourceLogs: [{ resource: { attributes }, scopeLogs: [{ logRecords }] }] };
  await system.send('log', jsonToProtobuf('log', new TextEncoder().encode(JSON.stringify(request))), tenant);
}

const brief = ({ component_id, attribute, version, first_seen, nodes, before }: ComponentVersion) =>
  `${component_id} ${attribute} ${version} since ${first_seen} on ${nodes} before ${before}`;
const at = (minutes: number) => formatNanos(ago(minutes));

describe('versions', () => {
  it('are all that spoke in the window, with their times of ever, however many records came since', async () => {
    const { data, meta } = await system.service.versions('default', { time_range: '1h', component_id: 'orders' });
    expect(data.map(brief)).toEqual([
      `orders service.version 2.1.0 since ${at(30)} on 2 before 2.0.3`,
      `orders vcs.ref.head.revision bb since ${at(30)} on 2 before aa`,
      `orders service.version 2.0.3 since ${at(300)} on 2 before null`,
      `orders vcs.ref.head.revision aa since ${at(300)} on 2 before null`,
    ]);
    expect(meta.truncated).toBe(false);
    const lately = await system.service.versions('default', { time_range: '10m' });
    expect(lately.data.map(({ component_id, version }) => `${component_id} ${version}`)).toEqual([
      'orders 2.1.0',
      'orders bb',
      'mail 7',
    ]);
  });

  it('are those of a window long ago as well', async () => {
    const { data } = await system.service.versions('default', { component_id: 'orders', start: at(200), end: at(100) });
    expect(data.map(({ version }) => version)).toEqual(['2.0.3', 'aa']);
  });

  it('are those of components, not of libraries; a list of tags is one; of other tenants none', async () => {
    const { data } = await system.service.versions('default', { time_range: '1h', component_id: 'mail' });
    expect(data.map(({ attribute, version }) => `${attribute} ${version}`)).toEqual([
      'container.image.tags 7, stable',
      'service.version 7',
    ]);
    const other = await system.service.versions('another', { time_range: '7d' });
    expect(other.data.map(({ version }) => version)).toEqual(['8']);
  });
});

describe('versions of which many run at once', () => {
  const version = (version: string, minutes: number, before: string | null): ComponentVersion => ({
    ...{ component_type: 'browser', component_id: 'shop', attribute: 'service.version', version, nodes: 0, before },
    ...{ first_seen: at(minutes), last_seen: at(0) },
  });
  const running = (count: number) =>
    Array.from({ length: count }, (_, i) => version(`1.${i}`, i, i === count - 1 ? null : `1.${i + 1}`));

  it('are not deployed one by one', () => {
    expect(deploymentsOf(running(4), ago(100)).map(({ version }) => version)).toEqual(['1.0', '1.1', '1.2']);
    expect(deploymentsOf(running(4), ago(1)).map(({ version }) => version)).toEqual(['1.0', '1.1']);
    expect(deploymentsOf(running(5), ago(100))).toEqual([]);
  });
});

describe('a deployment is told where it is asked what changed, once a component, with its time and what was before', () => {
  const deployed = /orders version 2\.1\.0 since [\d:.]+Z, before it 2\.0\.3/;

  it('by the comparison of now with before', async () => {
    const draft = await draftCompare(system.service, 'default', { time_range: '1h' });
    expect(draft.answer).toMatch(deployed);
    expect(draft.lists.find(({ name }) => name === 'new_versions')?.items).toHaveLength(1);
    const quiet = await draftCompare(system.service, 'default', { time_range: '1h', component: 'mail' });
    expect(quiet.answer).not.toMatch(/New:/);
  });

  it('by what explains a failure behind it, and not one before it', async () => {
    const draft = await draftExplain(system.service, 'default', { component: 'orders' });
    expect(draft.answer).toMatch(deployed);
    await logs('orders', { 'service.version': '2.0.3', 'vcs.ref.head.revision': 'aa' }, 'a', [100], 'ERROR', 'late');
    await logs('orders', { 'service.version': '2.1.0' }, 'a', [30], 'INFO', 'late');
    await system.needs.settled();
    const before = await draftExplain(system.service, 'late', { component: 'orders', time_range: '24h' });
    expect(before.answer).toMatch(/no stock/);
    expect(before.answer).not.toMatch(deployed);
  });

  it('by ask: what changed, and how two versions differ of which one is gone', async () => {
    const ask = async (question: string) => (await system.service.ask('default', { question })).data.answer;
    expect(await ask('what changed in orders?')).toMatch(deployed);
    await logs('shop', { 'service.version': '1.2' }, 'a', [400, 390, 380], 'INFO');
    await logs('shop', { 'service.version': '1.3' }, 'a', [50, 40, 30], 'INFO');
    await system.needs.settled();
    const both = await ask('compare version 1.2 and 1.3 of shop');
    expect(both).not.toMatch(/No version/);
    expect(both).toMatch(/1\.2 spoke from .* to /);
    expect(both).toMatch(/shop version 1\.3 since [\d:.]+Z, before it 1\.2/);
    expect(await ask('compare version 1.2 and 1.3 of shop in the last hour')).toMatch(
      /No version 1\.2 of shop is known .*1\.2 spoke from/s,
    );
  });
});
