import type { Instrumentation } from '@opentelemetry/instrumentation';
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc';
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { RuntimeNodeInstrumentation } from '@opentelemetry/instrumentation-runtime-node';
import { WinstonInstrumentation } from '@opentelemetry/instrumentation-winston';
import { BunyanBridge } from './bunyan-bridge.ts';
import { NestBridge } from './nest-bridge.ts';
import { PinoBridge } from './pino-bridge.ts';
import type { Settings } from './settings.ts';
import { WinstonLogSending } from './winston-bridge.ts';

/**
 * What hooks the modules that an app loads: OpenTelemetry's own instrumentations, and bridges of ours for the loggers. What Node brings
 * is watched elsewhere: `http-server.ts`, `http-client.ts`, `undici-client.ts`, `console-bridge.ts`. `net` is left out on purpose: its
 * `tcp.connect` spans say nothing that the HTTP span around them does not.
 */
export function standardInstrumentations({ isInstrumented }: Pick<Settings, 'isInstrumented'>): Instrumentation[] {
  const known: Record<string, () => Instrumentation[]> = {
    grpc: () => [new GrpcInstrumentation()],
    pg: () => [new PgInstrumentation({ requireParentSpan: true })],
    ioredis: () => [new IORedisInstrumentation({ requireParentSpan: true })],
    pino: () => [new PinoBridge()],
    bunyan: () => [new BunyanBridge()],
    nest: () => [new NestBridge()],
    winston: () => [new WinstonInstrumentation({ disableLogSending: true }), new WinstonLogSending()],
    'runtime-node': () => [new RuntimeNodeInstrumentation()],
  };
  return Object.entries(known).flatMap(([name, create]) => (isInstrumented(name) ? create() : []));
}
