import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { createMeter } from '../base/meter.ts';
import { decodeIndex, decodePayload } from '../model/block.ts';
import { type Resource, resourceHash } from '../model/resource.ts';
import { parseNanos } from '../model/time.ts';
import { jsonToProtobuf } from '../otlp/json.ts';
import { readBlock } from '../otlp/read.ts';
import { indexRequest } from '../otlp/walk.ts';
import { createCardinality } from './cardinality.ts';
import { type DeriveSettings, derive } from './derive.ts';
import { KnownResources } from './known-resources.ts';

const NOW = parseNanos('2026-03-02T12:00:30Z')!;
const SECOND = 1_000_000_000n;
const HOUR = 3600n * SECOND;

test('each resource spoke from its earliest record to its newest, as each of its components, whatever came in which request', async () => {
  const said = fc.record({
    agent: fc.constantFrom(null, 'planner'),
    // A record without a time, one of a clock that is ahead, and others around now.
    time: fc.oneof(
      fc.constantFrom(0n, 5n, NOW + HOUR, NOW + 9000n * HOUR),
      fc.bigInt({ min: NOW - 2n * HOUR, max: NOW + HOUR - 1n }),
    ),
  });
  const resource = fc.record({
    version: fc.constantFrom('1', '2'),
    records: fc.array(said, { minLength: 1, maxLength: 5 }),
  });
  const request = fc.array(resource, { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 4 }), async (requests) => {
      const arrivals = requests.map((resources, i) => ({
        receivedAt: NOW + BigInt(i) * 1000n,
        ...logs(resources.map(({ version, records }) => ({ attributes: shop(version), records }))),
      }));
      const { resources, blocks } = await derive('default', arrivals, SETTINGS);
      const events = blocks.flatMap(({ index, payload }) => {
        const records = readBlock(decodeIndex(index), decodePayload(payload));
        return Array.from({ length: records.count }, (_, i) => records.event(i, () => undefined));
      });
      const expected = new Map<string, Resource>();
      for (const event of events) {
        const [said, received_at] = [parseNanos(event.timestamp)!, parseNanos(event.received_at)!];
        const cannotBe = said < 1_000_000n || said >= received_at + HOUR;
        const time = cannotBe ? received_at : said;
        const { component_type, component_id, resource } = event;
        const hash = resourceHash(resource.attributes);
        const known = expected.get(hash + component_id);
        expected.set(hash + component_id, {
          ...{ hash, component_type, component_id, attributes: resource.attributes },
          first_time: known === undefined || time < known.first_time ? time : known.first_time,
          last_time: known === undefined || time > known.last_time ? time : known.last_time,
        });
      }
      const sorted = (rows: Iterable<Resource>) =>
        [...rows].sort((a, b) => (a.hash + a.component_id < b.hash + b.component_id ? -1 : 1));
      expect(sorted(resources)).toEqual(sorted(expected.values()));
    }),
    { numRuns: 60 },
  );
});

test('the order of attributes, and of those within one, makes no other resource', async () => {
  const list = (...entries: [string, object][]) => entries.map(([key, value]) => ({ key, value }));
  const inner = list(['x', { intValue: '1' }], ['y', { boolValue: true }]);
  const one = list(['service.name', { stringValue: 'shop' }], ['of', { kvlistValue: { values: inner } }]);
  const other = list(
    ['of', { kvlistValue: { values: inner.toReversed() } }],
    ['service.name', { stringValue: 'shop' }],
  );
  const another = list(['service.name', { stringValue: 'shop' }], ['of', { arrayValue: { values: [] } }]);
  const records = [{ time: NOW }];
  const arrival = logs([one, other, another].map((attributes) => ({ attributes, records })));
  expect((await derive('default', [{ receivedAt: NOW, ...arrival }], SETTINGS)).resources).toHaveLength(2);
});

test('one that is stored is brought again for an earlier record, or for one that is over a minute newer', async () => {
  const resources = new KnownResources();
  const brought = async (...times: bigint[]) => {
    const arrival = logs([{ attributes: shop('1'), records: times.map((time) => ({ time })) }]);
    return (await derive('default', [{ receivedAt: NOW, ...arrival }], { ...SETTINGS, resources })).resources;
  };
  const first = await brought(NOW);
  expect(first).toHaveLength(1);
  expect(await brought(NOW)).toEqual(first); // nobody said that it was committed
  resources.stored('another', first);
  expect(await brought(NOW)).toEqual(first);
  resources.stored('default', first);
  expect(await brought(NOW, NOW + 60n * SECOND)).toEqual([]);
  expect(await brought(NOW, NOW + 60n * SECOND + 1n)).toMatchObject([
    { first_time: NOW, last_time: NOW + 60n * SECOND + 1n },
  ]);
  const earlier = await brought(NOW - 1n);
  expect(earlier).toMatchObject([{ first_time: NOW - 1n, last_time: NOW - 1n }]);
  resources.stored('default', earlier);
  expect(await brought(NOW - 1n, NOW + 60n * SECOND)).toEqual([]);
});

test('F22 of resources without end 10,000 an hour are listed, of one too large none; what is left out is counted', async () => {
  const meter = createMeter();
  const cardinality = createCardinality({ namesMax: 5, clock: systemClock(), meter });
  const resources = new KnownResources({ meter });
  const records = [{ time: NOW }];
  const request = logs([
    ...Array.from({ length: 9 }, (_, i) => ({ attributes: shop(`1.${i}`), records })),
    { attributes: shop('x'.repeat(70_000)), records },
  ]);
  const derived = await derive('default', [{ receivedAt: NOW, ...request }], { ...SETTINGS, cardinality, resources });
  expect(derived.resources).toHaveLength(5);
  expect(derived.blocks[0]!.count).toBe(10);
  const counts = await meter.registry.metrics();
  expect(counts).toMatch(/cardinality_overflow_total\{kind="resource"\} 4/);
  expect(counts).toMatch(/resources_too_large_total 1/);
});

const SETTINGS: DeriveSettings = { retentionNanos: 168n * HOUR, templateOf: (text) => ({ id: 'T', text }) };

function shop(version: string) {
  return [
    { key: 'service.name', value: { stringValue: 'shop' } },
    { key: 'service.version', value: { stringValue: version } },
  ];
}

let bodies = 0;

/** A request of log records, each its own. */
function logs(resources: { attributes: object[]; records: { time: bigint; agent?: string | null }[] }[]) {
  const request = {
    resourceLogs: resources.map(({ attributes, records }) => ({
      resource: { attributes },
      scopeLogs: [
        {
          logRecords: records.map(({ time, agent }) => ({
            timeUnixNano: String(time),
            body: { stringValue: `${bodies++}` },
            attributes: agent == null ? [] : [{ key: 'gen_ai.agent.id', value: { stringValue: agent } }],
          })),
        },
      ],
    })),
  };
  return {
    records: indexRequest('log', jsonToProtobuf('log', new TextEncoder().encode(JSON.stringify(request)))).records,
  };
}
