/**
 * One operation as a bundle that another system takes in and answers the same questions from: a line that says what it is, its telemetry as
 * OTLP/JSON export requests, one a line, as any collector reads them, and what was found about it. Ids are made of what records hold, so that
 * they are the same there, and a bundle that is taken in twice is there once.
 */
import { VERSION } from '../base/version.ts';
import type { Signal } from '../model/block.ts';
import type { Insight } from '../model/insight.ts';
import { formatNanos } from '../model/time.ts';
import { protobufToJson } from '../otlp/json.ts';
import { type Answer, beginReading, invalid, notFound } from './answer.ts';
import type { QueryNeeds } from './needs.ts';
import { neededSnapshots } from './state.ts';

/** The first line of a bundle, under the key `debug_bundle`. */
export interface BundleManifest {
  /** Of the format: 1. */
  version: number;
  correlation_id: string;
  exported_at: string;
  /** What wrote it, as `ai-debug/1.2.3`. */
  generator: string;
  /** Log records, spans and metrics; snapshots are among the log records. */
  logs: number;
  spans: number;
  metrics: number;
  snapshots: number;
  insights: number;
  /** Whether the operation has more than a bundle holds: the newest of it is here. */
  truncated: boolean;
}

export interface Bundle {
  manifest: BundleManifest;
  /** By signal, in the order of {@link SIGNAL_ORDER}. */
  requests: readonly { signal: Signal; body: Uint8Array }[];
  insights: readonly Insight[];
}

export interface ImportCounts {
  correlation_id: string;
  logs: number;
  spans: number;
  metrics: number;
  /** Those that were not there yet. */
  insights: number;
}

export interface BundleAnswers {
  /** @throws DebugError NOT_FOUND */
  exportBundle(tenant: string, correlationId: string): Promise<Bundle>;
  /** What is there already stays as it is. @throws DebugError INVALID for a bundle of another version */
  importBundle(tenant: string, bundle: Bundle): Promise<Answer<ImportCounts>>;
}

export const BUNDLE_VERSION = 1;
const SIGNAL_ORDER = ['span', 'log', 'metric'] as const satisfies readonly Signal[];

// A correlation with more is one that was chosen badly. Held in memory until its first line says how much there is.
const RECORDS_MAX = 50_000;
const BYTES_MAX = 32 << 20;
const INSIGHTS_MAX = 1000;
// Requests of one signal that follow each other in bytes are one request: as many as an exporter would send.
const REQUEST_BYTES = 4 << 20;

export function createBundleAnswers(needs: QueryNeeds): BundleAnswers {
  const { events, rows } = needs;
  return {
    async exportBundle(tenant, correlation_id) {
      const { now } = await beginReading(needs);
      const taken = new Taken();
      for await (const { signal, body, records } of events.requests({ tenant, correlation_id })) {
        if (!taken.add(signal, body, records)) break;
      }
      if (taken.records === 0) throw notFound('CORRELATION', `correlation ${correlation_id}`);
      const { own, earlier } = await neededSnapshots(rows, tenant, correlation_id);
      for (const { component_type, component_id, time } of earlier) {
        const query = { tenant, component_type, component_id, start: time, end: time } as const;
        for await (const { signal, body, records } of events.requests({ ...query, event_types: ['state_snapshot'] }))
          taken.add(signal, body, records);
      }
      const insights = await rows.insights(tenant, { correlation_id, limit: INSIGHTS_MAX });
      const requests = SIGNAL_ORDER.flatMap((signal) => taken.of(signal).map((body) => ({ signal, body })));
      for (const { signal, body } of requests) needs.redact(tenant, body, signal);
      return {
        manifest: {
          version: BUNDLE_VERSION,
          correlation_id,
          exported_at: formatNanos(now),
          generator: `ai-debug/${VERSION}`,
          logs: taken.count('log'),
          spans: taken.count('span'),
          metrics: taken.count('metric'),
          snapshots: own.length + earlier.length,
          insights: insights.length,
          truncated: taken.full,
        },
        requests,
        insights,
      };
    },

    async importBundle(tenant, { manifest, requests, insights }) {
      if (manifest.version !== BUNDLE_VERSION) {
        const message = `is ${manifest.version}; this program reads version ${BUNDLE_VERSION}`;
        throw invalid([{ field: 'debug_bundle.version', message }]);
      }
      for (const signal of SIGNAL_ORDER) {
        const bodies = requests.filter((request) => request.signal === signal).map(({ body }) => body);
        if (bodies.length > 0) await needs.ingest(tenant, joined(bodies), signal);
      }
      let added = 0;
      for (const insight of insights) {
        let isNew = false;
        const stored = await rows.changeInsight(tenant, insight.id, (current) => {
          isNew = current === null;
          return isNew ? insight : null;
        });
        if (!isNew || stored === null) continue;
        added++;
        needs.publish({ kind: 'insight', tenant, change: 'opened', insight });
      }
      const reading = await beginReading(needs);
      const { correlation_id, logs, spans, metrics } = manifest;
      return reading.answer({ correlation_id, logs, spans, metrics, insights: added });
    },
  };
}

/** A bundle's lines, without their ends. */
export function* bundleLines({ manifest, requests, insights }: Bundle): Generator<string> {
  yield JSON.stringify({ debug_bundle: manifest });
  for (const { signal, body } of requests) yield JSON.stringify(protobufToJson(signal, body));
  for (const insight of insights) yield JSON.stringify({ debug_insight: insight });
}

/** Requests by signal, up to the bounds of a bundle. */
class Taken {
  readonly #bodies: Record<Signal, Uint8Array[]> = { log: [], span: [], metric: [] };
  readonly #counts: Record<Signal, number> = { log: 0, span: 0, metric: 0 };
  records = 0;
  #bytes = 0;
  full = false;

  /** @returns false, and takes nothing, where it would be too much */
  add(signal: Signal, body: Uint8Array, records: number): boolean {
    if (this.records + records > RECORDS_MAX || this.#bytes + body.length > BYTES_MAX) this.full = true;
    if (this.full) return false;
    this.#bodies[signal].push(body);
    this.#counts[signal] += records;
    this.records += records;
    this.#bytes += body.length;
    return true;
  }

  of(signal: Signal): Uint8Array[] {
    return this.#bodies[signal];
  }

  count(signal: Signal): number {
    return this.#counts[signal];
  }
}

/** Export requests one behind the other are one request: lists of messages add up. */
function joined(bodies: readonly Uint8Array[]): Uint8Array[] {
  const requests: Uint8Array[][] = [[]];
  let bytes = 0;
  for (const body of bodies) {
    if (bytes > 0 && bytes + body.length > REQUEST_BYTES) {
      requests.push([]);
      bytes = 0;
    }
    requests.at(-1)!.push(body);
    bytes += body.length;
  }
  return requests.map((parts) => Buffer.concat(parts));
}
