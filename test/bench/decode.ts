/**
 * Decoding, on one core: from the bytes of a request to a block ready to compress, ids, derived columns and the filters for searches in it, against what the
 * generated codecs take to make messages of them, which have to be looked through yet; and beside it, what noting takes which resources speak.
 */
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import protobuf from 'protobufjs';
import { BlockBuilder } from '../../model/block-builder.ts';
import { ROW_WORDS } from '../../model/records.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { ExportLogsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import { ExportTraceServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import { KnownResources } from '../../receiver/known-resources.ts';
import { ResourceTimes } from '../../receiver/resource-times.ts';
import { createPayload, type PayloadSignal, RECORDS } from './payloads.ts';

export interface DecodeResult {
  signal: PayloadSignal;
  /** Microseconds a record, the best of the rounds. */
  blockMicros: number;
  walkMicros: number;
  /** Of records that are walked, with resources that the store knows. */
  resourcesMicros: number;
  fromBinaryMicros: number;
  protobufjsMicros: number;
}

/** @param rounds each way takes turns with the others, so that a noisy moment hits all alike */
export function benchDecode(signal: PayloadSignal, rounds = 15): DecodeResult {
  const bodies = Array.from({ length: 4 }, (_, i) => createPayload(signal, i).stamped(i + 1, NOW));
  const schema = signal === 'span' ? ExportTraceServiceRequestSchema : ExportLogsServiceRequestSchema;
  const type = protobufjsType(signal);
  const builder = new BlockBuilder(RECORDS);
  const walked = new Map(bodies.map((body) => [body, indexRequest(signal, body).records]));
  const known = new KnownResources();
  const ways: Record<string, (body: Buffer) => unknown> = {
    block(body) {
      const { records } = indexRequest(signal, body);
      builder.begin(records, NOW);
      for (let row = 0; row < records.length; row++) builder.add(row, null);
      const raw = builder.build('default', 0, '2026-01-15');
      builder.clear();
      return raw;
    },
    walk: (body) => indexRequest(signal, body),
    resources(body) {
      const records = walked.get(body)!;
      const spoke = new ResourceTimes();
      spoke.begin(records, NOW);
      for (let row = 0; row < records.length; row++) spoke.note(row * ROW_WORDS);
      const rows = spoke.rows('default', known, () => true);
      known.stored('default', rows);
    },
    fromBinary: (body) => fromBinary(schema as typeof ExportTraceServiceRequestSchema, body),
    protobufjs: (body) => type.decode(body),
  };
  const best = Object.fromEntries(Object.keys(ways).map((name) => [name, Number.POSITIVE_INFINITY]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const start = performance.now();
      for (const body of bodies) way(body);
      best[name] = Math.min(best[name]!, ((performance.now() - start) * 1000) / bodies.length / RECORDS);
    }
  }
  return {
    signal,
    blockMicros: best.block!,
    walkMicros: best.walk!,
    resourcesMicros: best.resources!,
    fromBinaryMicros: best.fromBinary!,
    protobufjsMicros: best.protobufjs!,
  };
}

const NOW = 1_768_478_400_000_000_000n;
const PROTO = join(import.meta.dirname, '../../proto');

function protobufjsType(signal: PayloadSignal): protobuf.Type {
  const root = new protobuf.Root();
  root.resolvePath = (_from, path) => join(PROTO, path);
  const name = signal === 'span' ? 'trace' : 'logs';
  root.loadSync(`opentelemetry/proto/collector/${name}/v1/${name}_service.proto`);
  const service = signal === 'span' ? 'Trace' : 'Logs';
  return root.lookupType(`opentelemetry.proto.collector.${name}.v1.Export${service}ServiceRequest`);
}
