/** A whole receiver on ports of its own: real sockets, a real journal in a folder that `stop` removes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter, type Meter } from '../../base/meter.ts';
import { createAuthenticate } from '../../base/tokens.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { createAdmission } from '../../receiver/admission.ts';
import { createExporter } from '../../receiver/export.ts';
import { createGrpcReceiver } from '../../receiver/grpc.ts';
import { createHttpReceiver } from '../../receiver/http.ts';
import { createJournal, type Journal, type JournalEntry } from '../../receiver/journal.ts';

export interface TestReceiver {
  /** `http://127.0.0.1:port` */
  http: string;
  /** `127.0.0.1:port` */
  grpc: string;
  journal: Journal;
  meter: Meter;
  /** All that was acknowledged and not taken before. */
  journalled(): Promise<JournalEntry[]>;
  /** The transports only, gracefully; the journal stays open. */
  stopTransports(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestReceiverOptions {
  requestBytesMax?: number;
  inFlightBytesMax?: number;
  inFlightRequestsMax?: number;
  journalBytesMax?: number;
  enabled?: boolean;
}

export async function startReceiver(options: TestReceiverOptions = {}): Promise<TestReceiver> {
  const { requestBytesMax = 64 << 20, inFlightBytesMax = 256 << 20, enabled = true } = options;
  const directory = await mkdtemp(join(tmpdir(), 'receiver-'));
  const [clock, log, meter] = [systemClock(), createLogger('silent'), createMeter()];
  const journal = createJournal({
    directory,
    bytesMax: options.journalBytesMax ?? 1 << 30,
    segmentBytes: 64 << 20,
    clock,
    log,
    meter,
  });
  const { inFlightRequestsMax } = options;
  const admission = createAdmission({
    requestBytesMax,
    inFlightBytesMax,
    ...(inFlightRequestsMax !== undefined && { inFlightRequestsMax }),
    clock,
    meter,
  });
  const exporter = createExporter({
    authenticate: createAuthenticate([]),
    admission,
    index: indexRequest,
    journal,
    enabled,
    clock,
    log,
    meter,
  });
  const listening = { host: '127.0.0.1', port: 0, export: exporter };
  const http = createHttpReceiver(listening);
  const grpc = createGrpcReceiver({ ...listening, requestBytesMax });
  for (const part of [journal, http, grpc]) await part.start();

  const stopTransports = async () => {
    await Promise.all([http.stop(), grpc.stop()]);
  };
  return {
    http: `http://127.0.0.1:${http.address()!.port}`,
    grpc: `127.0.0.1:${grpc.address()!.port}`,
    journal,
    meter,
    async journalled() {
      const entries: JournalEntry[] = [];
      while (journal.stats().unreadBytes > 0) entries.push(...(await journal.take(1 << 26)));
      return entries;
    },
    stopTransports,
    async stop() {
      await stopTransports();
      await journal.stop();
      await rm(directory, { recursive: true });
    },
  };
}
