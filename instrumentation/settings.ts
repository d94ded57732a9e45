import { readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export type Signal = 'traces' | 'logs' | 'metrics';
export type Protocol = 'http/protobuf' | 'http/json' | 'grpc';
export type Format = 'protobuf' | 'json';

/** Where and how one signal leaves. */
export interface ExportSettings {
  enabled: boolean;
  protocol: Protocol;
  format: Format;
  url: string;
  headers: Record<string, string>;
  compression: 'none' | 'gzip';
  /** The longest that a request waits for its answer. */
  timeoutMs: number;
  tls: { ca?: Buffer; cert?: Buffer; key?: Buffer };
}

export interface BatchSettings {
  maxExportBatchSize: number;
  scheduledDelayMillis: number;
}

/** Where requests wait while the receiver is away. */
export interface SpoolPlace {
  directory: string;
  /** Of one process; 0 for no spool. */
  bytesMax: number;
}

export interface Settings {
  disabled: boolean;
  /** Names of instrumentations that are switched off, as in `OTEL_NODE_DISABLED_INSTRUMENTATIONS=winston,console`. */
  isInstrumented: (name: string) => boolean;
  propagators: string[];
  /** Whether a host that is called may be told the correlation and operation ids. */
  isOurs: (host: string) => boolean;
  /** Names of resource detectors, as in `OTEL_NODE_RESOURCE_DETECTORS=env,host`. */
  detectors: string[];
  /** Nobody asks for a sampler or limits of his own, which only the SDK's tracer provider knows. */
  isLight: boolean;
  exports: Record<Signal, ExportSettings>;
  spans: BatchSettings;
  logs: BatchSettings;
  metrics: {
    exportIntervalMillis: number;
    exportTimeoutMillis: number;
    temporality: 'cumulative' | 'delta' | 'lowmemory';
  };
  spool: SpoolPlace;
}

type Environment = Record<string, string | undefined>;

const NEEDS_SDK =
  /^OTEL_(TRACES_SAMPLER.*|SPAN_.*_LIMIT|((SPAN|LOGRECORD)_)?ATTRIBUTE_.*_LIMIT|(EVENT|LINK)_.*_LIMIT)$/;

const DEFAULT_ENDPOINT = 'http://127.0.0.1:4318';
const DEFAULT_GRPC_ENDPOINT = 'http://127.0.0.1:4317';

/**
 * Everything that OpenTelemetry's own variables say and that the SDK does not read by itself when it is assembled by
 * hand. Wrong values fall back to the default, as the specification asks: a typo must not stop a service.
 *
 * The two defaults that differ from the SDK's are the waits, because somebody is looking on: spans 1 s instead of 5,
 * metrics 10 s instead of 60.
 */
export function settingsFrom(env: Environment): Settings {
  const exportIntervalMillis = positive(env.OTEL_METRIC_EXPORT_INTERVAL) ?? 10_000;
  return {
    disabled: env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true',
    isInstrumented: instrumentationFilter(env),
    propagators: list(env.OTEL_PROPAGATORS) ?? ['tracecontext', 'baggage'],
    isOurs: hostFilter(list(env.AI_DEBUG_PROPAGATE_HOSTS)),
    detectors: list(env.OTEL_NODE_RESOURCE_DETECTORS) ?? ['env'],
    isLight: !Object.keys(env).some((name) => NEEDS_SDK.test(name) && text(env[name]) !== undefined),
    exports: {
      traces: exportSettings(env, 'traces'),
      logs: exportSettings(env, 'logs'),
      metrics: exportSettings(env, 'metrics'),
    },
    spans: batchSettings(env, 'OTEL_BSP'),
    logs: batchSettings(env, 'OTEL_BLRP'),
    metrics: {
      exportIntervalMillis,
      exportTimeoutMillis: Math.min(positive(env.OTEL_METRIC_EXPORT_TIMEOUT) ?? 30_000, exportIntervalMillis),
      temporality: temporalityOf(env.OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE),
    },
    spool: {
      directory: text(env.AI_DEBUG_SPOOL_DIR) ?? join(tmpdir(), `ai-debug-spool-${userInfo().uid}`),
      bytesMax: number(env.AI_DEBUG_SPOOL_BYTES_MAX) ?? 256 * 2 ** 20,
    },
  };
}

/** `example.org` with all its subdomains, `*.example.org` for these alone; without a list every host is ours. */
function hostFilter(patterns: string[] | undefined): (host: string) => boolean {
  if (patterns === undefined) return () => true;
  const suffixes = patterns.map((pattern) => pattern.toLowerCase());
  return (host) => {
    const lower = host.toLowerCase();
    return suffixes.some((suffix) =>
      suffix.startsWith('*.') ? lower.endsWith(suffix.slice(1)) : lower === suffix || lower.endsWith(`.${suffix}`),
    );
  };
}

function exportSettings(env: Environment, signal: Signal): ExportSettings {
  const own = (name: string): string | undefined =>
    text(env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${name}`]) ?? text(env[`OTEL_EXPORTER_OTLP_${name}`]);
  const exporters = list(env[`OTEL_${signal.toUpperCase()}_EXPORTER`]);
  const protocol = protocolOf(own('PROTOCOL'));
  return {
    enabled: !exporters?.includes('none'),
    protocol,
    format: protocol === 'http/json' ? 'json' : 'protobuf',
    compression: own('COMPRESSION') === 'gzip' ? 'gzip' : 'none',
    timeoutMs: positive(own('TIMEOUT')) ?? 10_000,
    url: urlOf(env, signal, protocol),
    headers: {
      ...headersOf(env.OTEL_EXPORTER_OTLP_HEADERS),
      ...headersOf(env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_HEADERS`]),
    },
    tls: {
      ...file('ca', own('CERTIFICATE')),
      ...file('cert', own('CLIENT_CERTIFICATE')),
      ...file('key', own('CLIENT_KEY')),
    },
  };
}

/** A signal's own endpoint is taken as it is; the common one is a base to which the signal's path is added. */
function urlOf(env: Environment, signal: Signal, protocol: Protocol): string {
  const own = text(env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`]);
  if (own !== undefined && URL.canParse(own)) return new URL(own).toString();
  const common = text(env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const base =
    common !== undefined && URL.canParse(common)
      ? common
      : protocol === 'grpc'
        ? DEFAULT_GRPC_ENDPOINT
        : DEFAULT_ENDPOINT;
  return new URL(`v1/${signal}`, base.endsWith('/') ? base : `${base}/`).toString();
}

function protocolOf(value: string | undefined): Protocol {
  return value === 'http/json' || value === 'grpc' ? value : 'http/protobuf';
}

/** `key=value,key=value`, values percent-encoded. */
function headersOf(value: string | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of list(value) ?? []) {
    const at = pair.indexOf('=');
    if (at < 1) continue;
    try {
      headers[decodeURIComponent(pair.slice(0, at).trim())] = decodeURIComponent(pair.slice(at + 1).trim());
    } catch {}
  }
  return headers;
}

function batchSettings(env: Environment, prefix: 'OTEL_BSP' | 'OTEL_BLRP'): BatchSettings {
  return {
    maxExportBatchSize: positive(env[`${prefix}_MAX_EXPORT_BATCH_SIZE`]) ?? 512,
    scheduledDelayMillis: positive(env[`${prefix}_SCHEDULE_DELAY`]) ?? 1000,
  };
}

function instrumentationFilter(env: Environment): (name: string) => boolean {
  const enabled = list(env.OTEL_NODE_ENABLED_INSTRUMENTATIONS);
  const disabled = list(env.OTEL_NODE_DISABLED_INSTRUMENTATIONS) ?? [];
  return (name) => (enabled?.includes(name) ?? true) && !disabled.includes(name);
}

function text(value: string | undefined): string | undefined {
  const trimmed = value?.trim();
  return trimmed === '' ? undefined : trimmed;
}

function list(value: string | undefined): string[] | undefined {
  const items = value?.split(',').map((item) => item.trim()) ?? [];
  const present = items.filter((item) => item !== '');
  return present.length === 0 ? undefined : present;
}

function temporalityOf(value: string | undefined): Settings['metrics']['temporality'] {
  const lower = value?.trim().toLowerCase();
  return lower === 'delta' || lower === 'lowmemory' ? lower : 'cumulative';
}

function number(value: string | undefined): number | undefined {
  const parsed = Number(text(value));
  return Number.isFinite(parsed) && parsed >= 0 ? parsed : undefined;
}

function positive(value: string | undefined): number | undefined {
  const parsed = number(value);
  return parsed === 0 ? undefined : parsed;
}

function file<K extends string>(name: K, path: string | undefined): { [key in K]?: Buffer } {
  if (path === undefined) return {};
  try {
    return { [name]: readFileSync(path) } as { [key in K]?: Buffer };
  } catch {
    return {};
  }
}
