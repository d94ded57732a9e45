import type { Span } from '@opentelemetry/api';
import type { Instrumentation } from '@opentelemetry/instrumentation';
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PinoInstrumentation } from '@opentelemetry/instrumentation-pino';
import { RuntimeNodeInstrumentation } from '@opentelemetry/instrumentation-runtime-node';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { WinstonInstrumentation } from '@opentelemetry/instrumentation-winston';
import { ATTR_HTTP_ROUTE } from '@opentelemetry/semantic-conventions';
import type { Settings } from './settings.ts';
import { WinstonLogSending } from './winston-bridge.ts';

/**
 * What is watched without a change in the app. `net` is left out on purpose: its `tcp.connect` spans say nothing that
 * the HTTP span around them does not.
 */
export function standardInstrumentations({ isInstrumented }: Pick<Settings, 'isInstrumented'>): Instrumentation[] {
  const known: Record<string, () => Instrumentation[]> = {
    http: () => [new HttpInstrumentation({ applyCustomAttributesOnSpan: nameByRoute })],
    undici: () => [new UndiciInstrumentation()],
    grpc: () => [new GrpcInstrumentation()],
    pino: () => [new PinoInstrumentation()],
    winston: () => [new WinstonInstrumentation({ disableLogSending: true }), new WinstonLogSending()],
    'runtime-node': () => [new RuntimeNodeInstrumentation()],
  };
  return Object.entries(known).flatMap(([name, create]) => (isInstrumented(name) ? create() : []));
}

/**
 * `GET /orders/:id` instead of `GET`. Plain `http` knows no routes; Express leaves the one that matched on the request.
 * (The path itself is no name: every order would be an operation of its own.)
 */
function nameByRoute(span: Span, request: unknown): void {
  const { route, baseUrl, method } = request as { route?: { path?: unknown }; baseUrl?: string; method?: string };
  if (typeof route?.path !== 'string') return;
  const path = `${baseUrl ?? ''}${route.path}`;
  span.setAttribute(ATTR_HTTP_ROUTE, path);
  span.updateName(`${method} ${path}`);
}
