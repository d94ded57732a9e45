/** Everything that `ai-debug up` starts, in this process: real sockets, a real journal, either warm store, in a folder that `stop` removes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { inject } from 'vitest';
import { type Clock, systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter, type Meter } from '../../base/meter.ts';
import { createCollector } from '../../collector.ts';
import { loadConfig } from '../../config.ts';
import type { Signal } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import { SIGNAL_PATHS } from './otlp-requests.ts';
import { createDatabase } from './postgres.ts';
import { allPages } from './system.ts';

export const STORES = ['embedded', 'postgres'] as const;

export interface WholeSystem {
  /** `http://host:port` each. */
  http: string;
  otlpHttp: string;
  otlpGrpc: string;
  meter: Meter;
  /** Sends a request as an exporter would: an object or a string as JSON, bytes as protobuf. */
  send(signal: Signal, request: Uint8Array | string | object): Promise<{ status: number; body: Buffer }>;
  /** The days under which the warm store files what it holds. */
  days(): Promise<string[]>;
  /** Every event that a query finds, newest first; waits until what was acknowledged is stored, however busy the machine is. */
  events(query: Record<string, string>): Promise<DebugEvent[]>;
  stop(): Promise<void>;
}

export async function startWholeSystem(
  store: (typeof STORES)[number],
  options: { flags?: Record<string, string>; clock?: Clock } = {},
): Promise<WholeSystem> {
  const directory = await mkdtemp(join(tmpdir(), 'ai-debug-whole-'));
  const database = store === 'postgres' ? await createDatabase(inject('pgUrl')) : null;
  const meter = createMeter();
  const flags = new Map(
    Object.entries({
      'data-dir': directory,
      'otlp-grpc-port': '0',
      'otlp-http-port': '0',
      'http-port': '0',
      'grpc-port': '0',
      ...(database !== null && { 'pg-url': database.url }),
      ...options.flags,
    }),
  );
  const collector = createCollector(loadConfig({ flags, environment: {} }), {
    clock: options.clock ?? systemClock(),
    log: createLogger('silent'),
    meter,
  });
  const stop = async () => {
    await collector.stop();
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await collector.start();
  } catch (error) {
    await stop();
    throw error;
  }
  const addresses = collector.addresses();
  return {
    http: addresses.http!,
    otlpHttp: addresses.otlp_http!,
    otlpGrpc: addresses.otlp_grpc!,
    meter,
    async send(signal, request) {
      const protobuf = request instanceof Uint8Array;
      const body = protobuf || typeof request === 'string' ? request : JSON.stringify(request);
      const response = await fetch(addresses.otlp_http! + SIGNAL_PATHS[signal], {
        method: 'POST',
        headers: { 'content-type': protobuf ? 'application/x-protobuf' : 'application/json' },
        body: Buffer.from(body as Uint8Array),
      });
      return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
    },
    async days() {
      const text = (table: string) => `SELECT DISTINCT day FROM ${table} ORDER BY day`;
      if (database === null) {
        const file = new DatabaseSync(join(directory, 'events.db'), { readOnly: true });
        const rows = file.prepare(text('block')).all();
        file.close();
        return rows.map(({ day }) => String(day));
      }
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      const { rows } = await client.query<{ day: Date }>(text('ai_debug.block'));
      await client.end();
      return rows.map(({ day }) => day.toISOString());
    },
    async events(query) {
      const url = `${addresses.http}/api/debug/events`;
      for (;;) {
        const { meta } = (await (await fetch(`${url}?limit=1`)).json()) as { meta: { coverage: { pending: number } } };
        if (meta.coverage.pending === 0) return allPages(url, query);
      }
    },
    stop,
  };
}
