import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter, type Meter } from '../base/meter.ts';
import { createAuthenticate } from '../base/tokens.ts';
import { indexRequest } from '../otlp/walk.ts';
import { goodSpan, requestJson, requestProtobuf, spansProtobuf } from '../test/support/otlp-requests.ts';
import { createAdmission } from './admission.ts';
import { createExporter, type ExporterOptions, type ExportRequest } from './export.ts';
import { createJournal, type Journal } from './journal.ts';
import { createRejected } from './rejected.ts';

let directory: string;
let journal: Journal;
let meter: Meter;
const clock = systemClock();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'export-'));
  meter = createMeter();
  const log = createLogger('silent');
  journal = createJournal({ directory, bytesMax: 1 << 20, segmentBytes: 1 << 20, clock, log, meter });
  await journal.start();
});
afterEach(async () => {
  await journal.stop();
  await rm(directory, { recursive: true });
});

function exporterOf(more: Partial<ExporterOptions> = {}) {
  const admission = createAdmission({
    requestBytesMax: 1000,
    inFlightBytesMax: 1000,
    inFlightRequestsMax: 1,
    clock,
    meter,
  });
  const log = createLogger('silent');
  return createExporter({
    authenticate: createAuthenticate([]),
    admission,
    index: indexRequest,
    journal,
    enabled: true,
    clock,
    log,
    meter,
    ...more,
  });
}

function requestOf(body: string | Uint8Array, more: Partial<ExportRequest> = {}): ExportRequest {
  const bytes = Buffer.from(body as Uint8Array);
  return {
    signal: 'span',
    transport: 'http',
    encoding: 'protobuf',
    authorization: undefined,
    read(ticket) {
      ticket.hold(bytes.length);
      return bytes;
    },
    ...more,
  };
}

async function countOf(name: string, labels: Record<string, string>): Promise<number> {
  const { values } = await meter.registry.getSingleMetric(`ai_debug_${name}`)!.get();
  const matches = values.filter((value) => Object.entries(labels).every(([key, label]) => value.labels[key] === label));
  return matches.reduce((sum, { value }) => sum + value, 0);
}

describe('the trip of a request', () => {
  it('ends at the door without a token that is known, before a byte is read', async () => {
    const exporter = exporterOf({ authenticate: createAuthenticate(['secret']) });
    const read = () => Promise.reject(new Error('must not be read'));
    await expect(exporter(requestOf('', { read }))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await exporter(requestOf('', { authorization: 'Bearer secret' }));
  });

  it('ends at the door with a token that may not bring telemetry', async () => {
    const exporter = exporterOf({ authenticate: createAuthenticate(['read:secret']) });
    const read = () => Promise.reject(new Error('must not be read'));
    const request = requestOf('', { read, authorization: 'Bearer secret' });
    await expect(exporter(request)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('ends when the journal has it, with what the walk found beside', async () => {
    const body = requestProtobuf('span');
    const authenticate = createAuthenticate(['ingest@team-a:secret']);
    const request = requestOf(body, { authorization: 'Bearer secret' });
    expect(await exporterOf({ authenticate })(request)).toEqual({ rejected: 0, message: '' });
    expect(journal.stats().bytes).toBeGreaterThan(body.length);
    const [entry] = await journal.take(1 << 20);
    expect(entry).toMatchObject({ signal: 'span', tenant: 'team-a', index: { accepted: 1, rejected: 0 } });
    expect(Buffer.compare(entry!.body, body)).toBe(0);
    expect(entry!.receivedAt).toBeGreaterThan(clock.nowNanos() - 60_000_000_000n);
  });

  it('keeps the protobuf twin of a JSON request', async () => {
    await exporterOf()(requestOf(requestJson('span'), { encoding: 'json' }));
    const [entry] = await journal.take(1 << 20);
    expect(Buffer.compare(entry!.body, requestProtobuf('span'))).toBe(0);
  });

  it('says what was rejected, and journals nothing when nothing is left', async () => {
    const bad = { ...goodSpan(), traceId: new Uint8Array(3) };
    const rejected = createRejected();
    const result = await exporterOf({ rejected: rejected.add })(requestOf(spansProtobuf(bad, bad)));
    expect(result).toEqual({ rejected: 2, message: expect.stringContaining('trace_id') });
    expect(journal.stats().bytes).toBe(0);
    expect(await countOf('receiver_records_rejected_total', { signal: 'span' })).toBe(2);
    expect([rejected.of('default'), rejected.of('another')]).toEqual([2, 0]);
  });

  it('accepts everything and keeps nothing when disabled, but reads it to its end', async () => {
    const exporter = exporterOf({ enabled: false });
    let read = false;
    const request = requestOf('not protobuf', {
      read: () => {
        read = true;
        return Buffer.from('not protobuf');
      },
    });
    expect(await exporter(request)).toEqual({ rejected: 0, message: '' });
    expect(read).toBe(true);
    expect(journal.stats().bytes).toBe(0);
  });
});

describe('failure', () => {
  it('frees its place, whatever failed', async () => {
    const exporter = exporterOf();
    const failures: [ExportRequest, string][] = [
      [requestOf('not protobuf'), 'MALFORMED'],
      [requestOf('{', { encoding: 'json' }), 'MALFORMED'],
      [requestOf(new Uint8Array(1001)), 'TOO_LARGE'],
      [requestOf('', { read: () => Promise.reject(new RangeError('ours')) }), 'INTERNAL'],
    ];
    for (const [request, code] of failures) {
      await expect(exporter(request)).rejects.toThrow();
      expect(await countOf('receiver_requests_total', { code })).toBeGreaterThan(0);
    }
    await exporter(requestOf(requestProtobuf('span')));
    expect(await countOf('receiver_requests_total', { code: 'OK', transport: 'http', encoding: 'protobuf' })).toBe(1);
  });

  it('is UNAVAILABLE when the journal stops, and nothing is acknowledged', async () => {
    await journal.stop();
    await expect(exporterOf()(requestOf(requestProtobuf('span')))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('F29 logs each kind of mistake of ours once', async () => {
    const logged: unknown[] = [];
    const log = createLogger('silent');
    log.error = (...line: unknown[]) => {
      logged.push(line);
    };
    const error = new TypeError('undefined is not a function');
    const exporter = exporterOf({
      log,
      index: Object.assign(
        () => {
          throw error;
        },
        { inTurns: () => Promise.reject(error) },
      ),
    });
    for (let i = 0; i < 3; i++) await expect(exporter(requestOf(requestProtobuf('span')))).rejects.toBe(error);
    expect(logged).toHaveLength(1);
  });
});
