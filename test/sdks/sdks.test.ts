/** The same record over any of the transports and encodings gives the same event, byte for byte: shown with real exporters. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { BASE_TIME_NS, expectedEvents, FIXTURE_EVENTS, TRACE_ID } from './fixture.ts';
import { emit, SDKS, type Sdk, type Transport } from './sdk.ts';
import { type Server, startServer } from './server.ts';

for (const sdk of SDKS) {
  const missing = await sdk.missing();
  describe(`the ${sdk.name} SDK`, () => {
    if (missing === null) exportersOf(sdk);
    // Where all four must run, an absent toolchain is a failure.
    else if (process.env.DEBUG_TEST_SDKS === 'all') it('has its toolchain', () => expect.fail(missing));
    else it.skip(`is not tested: ${missing}`, () => {});
  });
}

function exportersOf(sdk: Sdk): void {
  const first = sdk.transports[0]!;
  let command: readonly string[];
  /** What a server holds that got the fixture once, over the first of the transports. */
  let reference: DebugEvent[];

  beforeAll(async () => {
    command = await sdk.build();
    reference = await eventsAlone(first);
  });

  it('has every record stored with the values that were recorded', () => {
    for (const event of reference) {
      expect(event.id).toMatch(/^[0-9a-f]{32}$/);
      expect(event).toMatchObject({
        component_type: 'service',
        component_id: `sdk-${sdk.name}`,
        node_id: `sdk-${sdk.name}-1`,
        resource: { attributes: { 'service.name': `sdk-${sdk.name}`, 'host.cpus': 4 } },
        scope: { name: 'ai-debug.sdks', version: '1.2.3', schema_url: 'https://opentelemetry.io/schemas/1.30.0' },
      });
    }
    const inOrder = reference.toSorted((a, b) => compare(a.timestamp, b.timestamp) || compare(a.name, b.name));
    expect(inOrder).toEqual(expectedEvents(sdk).map((fields) => expect.objectContaining(fields)));
  });

  it.each(sdk.transports.slice(1))(
    'gives the same events over $protocol, compression $compression',
    async (transport) => {
      expect(lines(await eventsAlone(transport))).toEqual(lines(reference));
    },
  );

  describe('into one server over all of them', () => {
    let server: Server;
    beforeAll(async () => {
      server = await startServer();
      for (const transport of sdk.transports) await emit(command, transport, server, BASE_TIME_NS);
      // Records are stored in the order in which they arrive: once these are there, nothing before them is under way.
      await emit(command, first, server, BASE_TIME_NS + 1_000_000_000n);
    });
    afterAll(() => server?.stop());

    it('each record is stored once', async () => {
      const events = await server.events(2 * FIXTURE_EVENTS);
      expect(events).toHaveLength(2 * FIXTURE_EVENTS);
      const ids = new Set(reference.map(({ id }) => id));
      expect(lines(events.filter(({ id }) => ids.has(id)))).toEqual(lines(reference));
    });

    it('each is found by its trace and by its id', async () => {
      const inTrace = reference.filter(({ trace_id }) => trace_id === TRACE_ID);
      expect(inTrace).toHaveLength(5);
      const events = await server.events(2 * inTrace.length, { trace_id: TRACE_ID });
      expect(events.map(({ id }) => id)).toEqual(expect.arrayContaining(inTrace.map(({ id }) => id)));
      for (const event of reference) expect(lines([await server.event(event.id)])).toEqual(lines([event]));
    });
  });

  async function eventsAlone(transport: Transport): Promise<DebugEvent[]> {
    const server = await startServer();
    try {
      await emit(command, transport, server, BASE_TIME_NS);
      return await server.events(FIXTURE_EVENTS);
    } finally {
      await server.stop();
    }
  }
}

/** An event as text, so that the order of its keys counts too, without the time at which it came in. */
function lines(events: readonly DebugEvent[]): string[] {
  return events.map(({ received_at: _, ...event }) => JSON.stringify(event)).sort();
}

/** Of text in no language's order. */
function compare(a = '', b = ''): number {
  return a < b ? -1 : Number(a > b);
}
