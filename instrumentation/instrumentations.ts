import type { Instrumentation } from '@opentelemetry/instrumentation';
import { BunyanInstrumentation } from '@opentelemetry/instrumentation-bunyan';
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc';
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { PinoInstrumentation } from '@opentelemetry/instrumentation-pino';
import { RuntimeNodeInstrumentation } from '@opentelemetry/instrumentation-runtime-node';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { WinstonInstrumentation } from '@opentelemetry/instrumentation-winston';
import type { Settings } from './settings.ts';
import { WinstonLogSending } from './winston-bridge.ts';

/**
 * What is watched without a change in the app by instrumentations of OpenTelemetry's; HTTP is watched by `http-server.ts` and
 * `http-client.ts`, the console by `console-bridge.ts`. `net` is left out on purpose: its `tcp.connect` spans say nothing that
 * the HTTP span around them does not.
 */
export function standardInstrumentations({ isInstrumented }: Pick<Settings, 'isInstrumented'>): Instrumentation[] {
  const known: Record<string, () => Instrumentation[]> = {
    undici: () => [new UndiciInstrumentation()],
    grpc: () => [new GrpcInstrumentation()],
    pg: () => [new PgInstrumentation({ requireParentSpan: true })],
    ioredis: () => [new IORedisInstrumentation({ requireParentSpan: true })],
    pino: () => [new PinoInstrumentation()],
    bunyan: () => [new BunyanInstrumentation()],
    winston: () => [new WinstonInstrumentation({ disableLogSending: true }), new WinstonLogSending()],
    'runtime-node': () => [new RuntimeNodeInstrumentation()],
  };
  return Object.entries(known).flatMap(([name, create]) => (isInstrumented(name) ? create() : []));
}
