/** The whole program but its command line, in this process: real ports, real stores, a folder that `stop` removes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { createLogger, type Logger } from '../../base/log.ts';
import { createMeter, type Meter } from '../../base/meter.ts';
import { createCollector } from '../../collector.ts';
import { loadConfig } from '../../config.ts';

export interface TestCollector {
  /** `http://127.0.0.1:port`, empty for what this role does not serve. */
  http: string;
  otlpHttp: string;
  /** `127.0.0.1:port` */
  otlpGrpc: string;
  /** Of the query service. */
  grpc: string;
  directory: string;
  meter: Meter;
  stop(): Promise<void>;
}

/** @param settings as flags, by their kebab-case names */
export async function startCollector(
  settings: Record<string, string | boolean> = {},
  log: Logger = createLogger('silent'),
): Promise<TestCollector> {
  const directory = await mkdtemp(join(tmpdir(), 'ai-debug-collector-'));
  const ports = ['otlp-grpc-port', 'otlp-http-port', 'http-port', 'grpc-port'].map((name) => [name, '0'] as const);
  const flags = new Map<string, string | boolean>([...ports, ['data-dir', directory], ...Object.entries(settings)]);
  const meter = createMeter();
  const collector = createCollector(loadConfig({ flags, environment: {} }), { clock: systemClock(), log, meter });
  const stop = async () => {
    await collector.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await collector.start();
  } catch (error) {
    await stop();
    throw error;
  }
  const { http, otlp_http, otlp_grpc, grpc } = collector.addresses();
  return {
    http: http ?? '',
    otlpHttp: otlp_http ?? '',
    otlpGrpc: otlp_grpc?.replace(/^https?:\/\//, '') ?? '',
    grpc: grpc?.replace(/^https?:\/\//, '') ?? '',
    directory,
    meter,
    stop,
  };
}
