/** F20, F23: texts and numbers that break parsers, encoders and databases go all the way through, on both stores, and harm nobody else's records. */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { STORES, startWholeSystem, type WholeSystem } from '../support/whole-system.ts';

/** What each text reads back as. */
const POISONS: [name: string, sent: string, read: string][] = [
  ['NUL', 'a\0b', 'a\0b'],
  ['a lone high surrogate', 'a\ud83db', 'a\ufffdb'],
  ['a lone low surrogate', '\ude00b', '\ufffdb'],
  ['a byte order mark', '\ufeffa', '\ufeffa'],
  ['right-to-left override and zero width', '\u202eabc\u200b\u2066', '\u202eabc\u200b\u2066'],
  ['line breaks and escapes', 'a\r\n\u001b[31m\\u0000', 'a\r\n\u001b[31m\\u0000'],
  ['a prototype', '__proto__', '__proto__'],
  ['a constructor', 'constructor', 'constructor'],
  ['nothing', '', ''],
  ['SQL', `'; DROP TABLE block; --`, `'; DROP TABLE block; --`],
  ['beyond the basic plane', '😀'.repeat(100), '😀'.repeat(100)],
];

describe.each(STORES)('on %s', (store) => {
  let system: WholeSystem;
  beforeAll(async () => {
    system = await startWholeSystem(store);
  });
  afterAll(() => system?.stop());

  test.each(POISONS)('F20 %s, wherever a text can stand, never fails its batch', async (name, sent, read) => {
    const marker = `poison ${name}`;
    const healthy = (text: string) => log({ body: text, attributes: [attribute('marker', marker)] });
    const poisoned = [
      log({ body: sent, attributes: [attribute('marker', marker)] }),
      log({ body: 'key', attributes: [attribute('marker', marker), attribute(sent, 'value')] }),
      log({ body: 'value', attributes: [attribute('marker', marker), attribute('key', sent)] }),
      log({ body: 'correlation', attributes: [attribute('marker', marker), attribute('correlation_id', sent)] }),
      log({ body: 'operation', attributes: [attribute('marker', marker), attribute('operation_id', sent)] }),
      log({
        body: 'component',
        attributes: [
          attribute('marker', marker),
          attribute('debug.component.type', sent),
          attribute('debug.component.id', sent),
        ],
      }),
      { ...log({ body: 'event', attributes: [attribute('marker', marker)] }), eventName: sent, severityText: sent },
      {
        ...log({ body: 'traced', attributes: [attribute('marker', marker), attribute('correlation_id', sent)] }),
        traceId: `${'0'.repeat(31)}1`,
      },
      {
        ...log({
          body: '',
          attributes: [
            attribute('marker', marker),
            attribute('debug.checkpoint', sent),
            attribute('operation_id', sent),
          ],
        }),
        eventName: 'debug.state.snapshot',
        body: { kvlistValue: { values: [attribute(sent, sent)] } },
      },
    ];
    const resource = {
      attributes: [attribute('service.name', sent), attribute('service.instance.id', sent), attribute(sent, sent)],
    };
    const request = {
      resourceLogs: [
        { scopeLogs: [{ logRecords: [healthy('before'), ...poisoned, healthy('after')] }] },
        {
          resource,
          schemaUrl: sent,
          scopeLogs: [
            {
              scope: { name: sent, version: sent, attributes: [attribute(sent, sent)] },
              schemaUrl: sent,
              logRecords: [healthy('resource')],
            },
          ],
        },
      ],
    };
    expect(await system.send('log', request)).toMatchObject({ status: 200 });
    const events = await system.events({ 'attr.marker': marker });
    const byMessage = Map.groupBy(events, ({ message }) => message);
    expect(events).toHaveLength(poisoned.length + 3);
    const only = (message: string): DebugEvent => byMessage.get(message)![0]!;
    expect(byMessage.has('before') && byMessage.has('after')).toBe(true);
    if (read !== '') {
      expect(only(read).message).toBe(read);
      expect(only('correlation').correlation_id).toBe(read);
      expect(only('operation').operation_id).toBe(read);
      expect(only('component')).toMatchObject({ component_type: read, component_id: read });
      expect(only('resource')).toMatchObject({ component_id: read, node_id: read });
    }
    expect(Object.entries(only('key').data)).toContainEqual([read, 'value']);
    expect(only('value').data.key).toBe(read);
    // What was stored under it is found by it.
    if (read !== '') {
      expect((await system.events({ correlation_id: read })).map(({ message }) => message)).toContain('correlation');
      expect((await system.events({ operation_id: read })).map(({ message }) => message)).toContain('operation');
      expect((await system.events({ component_id: read, component_type: read })).map(({ message }) => message)).toEqual(
        ['component'],
      );
      const answer = await fetch(
        `${system.http}/api/debug/state/service/unknown_service?${new URLSearchParams({ operation_id: read, checkpoint_name: read })}`,
      );
      expect(answer.status).toBe(200);
      const { data } = (await answer.json()) as { data: { state_data: Record<string, unknown> } };
      expect(Object.entries(data.state_data)).toEqual([[read, read]]);
    }
    await healthyAsks(system);
  });

  test('F20 bytes that are no UTF-8 become U+FFFD in whatever text they stand, and cost nothing else', async () => {
    const record = new BinaryWriter();
    const bad = Uint8Array.of(0x61, 0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0x62);
    const text = (field: number, bytes: Uint8Array) => record.tag(field, 2).bytes(bytes);
    record.tag(1, 1).fixed64(BigInt(Date.now()) * 1_000_000n);
    text(3, bad);
    record.tag(5, 2).fork().tag(1, 2).bytes(bad).join();
    record.tag(6, 2).fork().tag(1, 2).bytes(bad).tag(2, 2).fork().tag(1, 2).bytes(bad).join().join();
    for (const key of [
      'correlation_id',
      'operation_id',
      'debug.component.id',
      'debug.component.type',
      'debug.event.type',
    ])
      record.tag(6, 2).fork().tag(1, 2).string(key).tag(2, 2).fork().tag(1, 2).bytes(bad).join().join();
    text(12, bad);
    const request = new BinaryWriter()
      .tag(1, 2)
      .fork()
      .tag(2, 2)
      .fork()
      .tag(2, 2)
      .bytes(record.finish())
      .join()
      .join()
      .finish();
    expect(await system.send('log', request)).toMatchObject({ status: 200 });
    const read = new TextDecoder().decode(bad);
    const [event] = await system.events({ correlation_id: read });
    expect(event).toMatchObject({ message: read, operation_id: read, component_id: read, component_type: read });
    expect(event!.data[read]).toBe(read);
    await healthyAsks(system);
  });

  test('F20 a body of 10 MB, a key of 1 MB, and names that no index takes', async () => {
    const long = 'x'.repeat(1 << 20);
    const logRecords = [
      log({ body: 'y'.repeat(10 << 20), attributes: [attribute('marker', 'large')] }),
      log({ body: 'key', attributes: [attribute('marker', 'large'), attribute(long, 'v')] }),
      log({
        body: 'names',
        attributes: [
          attribute('marker', 'large'),
          ...[
            'correlation_id',
            'operation_id',
            'debug.component.id',
            'debug.component.type',
            'debug.checkpoint',
            'debug.snapshot.type',
          ].map((key) => attribute(key, long)),
        ],
      }),
      {
        ...log({ body: 'traced', attributes: [attribute('marker', 'large'), attribute('correlation_id', long)] }),
        traceId: `${'0'.repeat(31)}2`,
      },
      {
        ...log({
          body: 'snapshot',
          attributes: [
            attribute('marker', 'large'),
            attribute('debug.checkpoint', long),
            attribute('operation_id', long),
          ],
        }),
        eventName: 'debug.state.snapshot',
      },
      log({ body: 'after', attributes: [attribute('marker', 'large')] }),
    ];
    const resource = { attributes: [attribute('service.name', long), attribute('host.name', long)] };
    const request = {
      resourceLogs: [
        { scopeLogs: [{ logRecords }] },
        {
          resource,
          scopeLogs: [
            {
              scope: { name: long },
              logRecords: [log({ body: 'resource', attributes: [attribute('marker', 'large')] })],
            },
          ],
        },
      ],
    };
    expect(await system.send('log', request)).toMatchObject({ status: 200 });
    const events = await system.events({ 'attr.marker': 'large' });
    expect(events).toHaveLength(logRecords.length + 1);
    await healthyAsks(system);
  });
});

let sequence = 0;

function log({ body, attributes = [] }: { body: string; attributes?: object[] }) {
  return {
    timeUnixNano: String(BigInt(Date.now()) * 1_000_000n + BigInt(sequence++)),
    severityNumber: 17,
    body: { stringValue: body },
    attributes,
  };
}

function attribute(key: string, value: string) {
  return { key, value: { stringValue: value } };
}

/** The next record of anybody comes through, and everything that reads the store still answers. */
async function healthyAsks(system: WholeSystem): Promise<void> {
  const correlation = `healthy ${sequence}`;
  const logRecords = [log({ body: 'well', attributes: [attribute('correlation_id', correlation)] })];
  expect(await system.send('log', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] })).toMatchObject({ status: 200 });
  expect(await system.events({ correlation_id: correlation })).toHaveLength(1);
  for (const path of [
    '/analytics/error-patterns',
    '/analytics/system-health',
    '/analytics/active-operations',
    '/analytics/throughput',
    '/templates',
    '/insights',
  ]) {
    const answer = await fetch(`${system.http}/api/debug${path}`);
    const text = await answer.text();
    expect([path, answer.status, answer.ok ? '' : text]).toEqual([path, 200, '']);
  }
  const generated = await fetch(`${system.http}/api/debug/insights/generate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ correlation_id: correlation }),
  });
  const text = await generated.text();
  expect([generated.status, generated.ok ? '' : text]).toEqual([generated.status, '']);
  expect((await fetch(`${system.http}/readyz`)).status).toBe(200);
}
