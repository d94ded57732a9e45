import { z } from 'zod';
import type { FieldError } from '../../base/errors.ts';
import type { Signal } from '../../model/block.ts';
import type { Insight } from '../../model/insight.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import { invalid } from '../answer.ts';
import { type Bundle, bundleLines } from '../bundle.ts';
import { fieldErrors } from '../validation.ts';
import { route } from './route.ts';
import * as view from './views.ts';

export const exportBundle = route({
  method: 'get',
  path: '/export/{correlation_id}',
  summary:
    'One operation as NDJSON that /import takes in: a line that says what it is, its telemetry as OTLP/JSON requests, its insights.',
  gives: 'lines',
  data: z.string(),
  notFound: ['CORRELATION_NOT_FOUND'],
  answer: async ({ service, tenant, params }) =>
    bundleLines(await service.exportBundle(tenant, params.correlation_id!)),
});

export const importBundle = route({
  method: 'post',
  path: '/import',
  summary: 'Takes in what /export gave. What is there already is not stored twice.',
  scope: 'admin',
  status: 201,
  takes: 'lines',
  body: z.string(),
  data: view.imported,
  answer: ({ service, tenant, body }) => service.importBundle(tenant, readBundle(body)),
});

const manifest = z.object({
  version: z.number().int(),
  correlation_id: z.string(),
  exported_at: z.string(),
  generator: z.string(),
  logs: z.number().int().min(0),
  spans: z.number().int().min(0),
  metrics: z.number().int().min(0),
  snapshots: z.number().int().min(0),
  insights: z.number().int().min(0),
  truncated: z.boolean(),
});

const SIGNAL_KEYS: readonly (readonly [key: string, signal: Signal])[] = [
  ['resourceSpans', 'span'],
  ['resourceLogs', 'log'],
  ['resourceMetrics', 'metric'],
];

/** @throws DebugError INVALID that names the line */
function readBundle(text: string): Bundle {
  const lines = text.split('\n').map((line, i) => ({ line: line.trim(), field: `line ${i + 1}` }));
  const [first, ...rest] = lines.filter(({ line }) => line !== '');
  if (first === undefined) throw invalid([{ field: 'body', message: 'is empty' }]);
  const head = parsed(first);
  // The version first: what another one looks like is not for us to say.
  if (typeof head.debug_bundle !== 'object' || head.debug_bundle === null) {
    throw invalid([{ field: first.field, message: 'is no bundle: it must begin with {"debug_bundle":' }]);
  }
  const requests: Bundle['requests'][number][] = [];
  const insights: Insight[] = [];
  for (const at of rest) {
    const value = parsed(at);
    const [, signal] = SIGNAL_KEYS.find(([key]) => Object.hasOwn(value, key)) ?? [];
    if (signal !== undefined) requests.push({ signal, body: requestOf(signal, at) });
    else if (Object.hasOwn(value, 'debug_insight'))
      insights.push(checked(view.insight, value.debug_insight, at) as Insight);
    else throw invalid([{ field: at.field, message: 'is neither an OTLP/JSON request nor an insight' }]);
  }
  return { manifest: checked(manifest, head.debug_bundle, first), requests, insights };
}

interface Line {
  line: string;
  field: string;
}

function parsed({ line, field }: Line): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw invalid([{ field, message: `is not JSON: ${(error as Error).message}` }]);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid([{ field, message: 'is not an object' }]);
}

function requestOf(signal: Signal, { line, field }: Line): Uint8Array {
  try {
    return jsonToProtobuf(signal, Buffer.from(line));
  } catch (error) {
    throw invalid([{ field, message: (error as Error).message }]);
  }
}

function checked<T extends z.ZodType>(schema: T, value: unknown, { field }: Line): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(
    fieldErrors(result.error).map((error): FieldError => ({ ...error, field: `${field}: ${error.field}` })),
  );
}
