import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatNanos, NANOS_PER_MINUTE } from '../model/time.ts';
import { jsonToProtobuf } from '../otlp/json.ts';
import { type QuerySystem, startQuerySystem } from '../test/support/query-system.ts';

let system: QuerySystem;
const NOW = BigInt(Date.now()) * 1_000_000n;
const at = (minutes: number) => NOW - BigInt(minutes) * NANOS_PER_MINUTE;

beforeAll(async () => {
  system = await startQuerySystem();
  await logs({ 'service.instance.id': 'a', 'host.name': 'h', 'service.version': '1' }, [300, 50]);
  await logs({ 'service.instance.id': 'a', 'host.name': 'h', 'service.version': '2' }, [20]);
  await logs({ 'k8s.pod.name': 'b', 'host.name': 'h', 'service.version': '1' }, [400, 200]);
  await logs({ 'host.name': 'h', 'service.version': '2' }, [30, 5]);
  await logs({ 'service.version': '2' }, [30, 5]);
});
afterAll(() => system?.stop());

async function logs(said: Record<string, string>, minutesAgo: readonly number[]): Promise<void> {
  const attributes = Object.entries({ 'service.name': 'orders', ...said }).map(([key, stringValue]) => {
    return { key, value: { stringValue } };
  });
  const logRecords = minutesAgo.map((minutes) => ({ timeUnixNano: String(at(minutes)), body: { stringValue: 'hi' } }));
  const request = JSON.stringify({ resourceLogs: [{ resource: { attributes }, scopeLogs: [{ logRecords }] }] });
  await system.send('log', jsonToProtobuf('log', new TextEncoder().encode(request)));
}

it('nodes are all that spoke in a window, the newest first, with what spoke on them last', async () => {
  const { data, meta } = await system.service.nodes('default', { time_range: '1h' });
  const orders = { component_type: 'service', component_id: 'orders' };
  expect(data).toEqual([
    { ...orders, node_id: 'h', version: '2', first_seen: formatNanos(at(30)), last_seen: formatNanos(at(5)) },
    { ...orders, node_id: 'a', version: '2', first_seen: formatNanos(at(300)), last_seen: formatNanos(at(20)) },
  ]);
  expect(meta).toMatchObject({ count: 2, truncated: false });
  const before = await system.service.nodes('default', { start: formatNanos(at(350)), end: formatNanos(at(100)) });
  expect(before.data.map(({ node_id, version }) => `${node_id} ${version}`)).toEqual(['a 1', 'b 1']);
  expect((await system.service.nodes('another', { time_range: '24h' })).data).toEqual([]);
});

it('asked after, those that are new are told with their time', async () => {
  const { data } = await system.service.ask('default', { question: 'how are the nodes of orders doing?' });
  expect(data.answer).toMatch(/New of 2 nodes: h \(version 2\) since [\d:.]+Z\./);
});
