/** Real blocks for tests: log records as an exporter sends them, walked and packed by the code that production uses. */
import { create, toBinary } from '@bufbuild/protobuf';
import { AttributeFilterBuilder } from '../../model/attribute-filter.ts';
import { type Block, type BlockRecord, type ComponentRef, decodeIndex, decodePayload } from '../../model/block.ts';
import { buildBlock } from '../../model/block-builder.ts';
import { type DebugEvent, severityOf } from '../../model/event.ts';
import { eventId } from '../../model/ids.ts';
import type { RecordTable } from '../../model/records.ts';
import { dayOf } from '../../model/time.ts';
import { readBlock } from '../../otlp/read.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { ExportLogsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import type { FoundBlock } from '../../storage/contract.ts';

/** A log record; what is left out is absent on the wire too. */
export interface LogSpec {
  /** Nanoseconds, uint64. */
  time: bigint;
  message?: string;
  /** OTLP severity number; INFO when left out. */
  severity?: number;
  component?: ComponentRef;
  correlation?: string;
  operation?: string;
  /** 32 hex. */
  trace?: string;
  attributes?: Record<string, string | number>;
  resource?: Record<string, string>;
  template?: string;
}

export interface BlockSpec {
  tenant?: string;
  shard?: number;
  day?: string;
  receivedAt?: bigint;
}

/** 2026-01-15T12:00:00Z, the noon around which tests play. */
export const NOON = 1_768_478_400_000_000_000n;
export const SECOND = 1_000_000_000n;
export const MINUTE = 60n * SECOND;
export const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/** @param logs 1 to 4096, kept in this order */
export function logBlock(logs: readonly LogSpec[], spec: BlockSpec = {}): Block {
  const records = logRecords(logs, spec.receivedAt ?? NOON);
  const attributes = new AttributeFilterBuilder();
  attributes.addLists(walked(logs).pairs);
  const newest = logs
    .map(({ time }) => dayOf(time))
    .sort()
    .at(-1)!;
  return buildBlock(spec.tenant ?? 'default', spec.shard ?? 0, spec.day ?? newest, records, { attributes });
}

export function logRecords(logs: readonly LogSpec[], receivedAt: bigint): BlockRecord[] {
  return walked(logs).map((record, i) => ({ ...record, receivedAt, template: logs[i]!.template ?? null }));
}

function walked(logs: readonly LogSpec[]): RecordTable {
  const request = create(ExportLogsServiceRequestSchema, {
    resourceLogs: logs.map((log) => ({
      resource: { attributes: attributes(log.resource ?? {}) },
      scopeLogs: [{ scope: { name: 'test' }, logRecords: [logRecord(log)] }],
    })),
  });
  const { records, rejectedReason } = indexRequest('log', toBinary(ExportLogsServiceRequestSchema, request));
  if (records.length !== logs.length) throw new Error(`the fixture made a record that is refused: ${rejectedReason}`);
  return records;
}

/** The ids of the records, in their order. */
export function idsOf(logs: readonly LogSpec[]): string[] {
  return logRecords(logs, 0n).map(({ time, hash }) => eventId(time, hash));
}

/** A block as a reader hands it out, for what takes one from another tier. */
export function found(block: Block): FoundBlock {
  const { id, timeMin, timeMax, index, payload } = block;
  return { id, timeMin, timeMax, index, payload: async () => payload };
}

/** The events of a block, in its order. */
export async function eventsOf(block: FoundBlock): Promise<DebugEvent[]> {
  const records = readBlock(decodeIndex(block.index), decodePayload(await block.payload()));
  return Array.from({ length: records.count }, (_, i) => records.event(i, () => undefined));
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function logRecord(log: LogSpec) {
  const { component } = log;
  return {
    timeUnixNano: log.time,
    severityNumber: log.severity ?? severityOf('INFO'),
    body: { value: { case: 'stringValue' as const, value: log.message ?? '' } },
    ...(log.trace !== undefined && { traceId: Uint8Array.fromHex(log.trace) }),
    attributes: attributes({
      ...(component !== undefined && { 'debug.component.type': component.type, 'debug.component.id': component.id }),
      ...(log.correlation !== undefined && { 'debug.correlation_id': log.correlation }),
      ...(log.operation !== undefined && { 'debug.operation_id': log.operation }),
      ...log.attributes,
    }),
  };
}

function attributes(values: Record<string, string | number>) {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value: {
      value:
        typeof value === 'string'
          ? { case: 'stringValue' as const, value }
          : { case: 'intValue' as const, value: BigInt(value) },
    },
  }));
}
