/**
 * What PostgreSQL takes at best, on one connection: the same events as rows that are encoded already, with b-trees on correlation and time
 * and on component and time; and as blocks that are made already, with their keys.
 */
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { type Block, blockKey, decodeIndex, decodePayload } from '../../model/block.ts';
import { buildBlock } from '../../model/block-builder.ts';
import { readBlock } from '../../otlp/read.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { CopyBinary } from '../../storage/postgres/copy-binary.ts';
import { createPayload, type PayloadSignal, RECORDS } from './payloads.ts';

export interface Yardsticks {
  rowsPerSecond: number;
  blocksPerSecond: number;
}

const TABLES = `
  CREATE TABLE row_event (event_id uuid NOT NULL, time bigint NOT NULL, correlation_key bigint NOT NULL,
    component_key bigint NOT NULL, type smallint NOT NULL, severity smallint NOT NULL, trace_id uuid NOT NULL,
    correlation_id text NOT NULL, component_id text NOT NULL, message text NOT NULL, attributes text NOT NULL);
  CREATE INDEX ON row_event (correlation_key, time);
  CREATE INDEX ON row_event (component_key, time);
  CREATE TABLE raw_block (block_id uuid PRIMARY KEY, block_index bytea NOT NULL, payload bytea NOT NULL);
  ALTER TABLE raw_block ALTER block_index SET STORAGE external, ALTER payload SET STORAGE external;
  CREATE TABLE raw_key (key bigint NOT NULL, block_id uuid NOT NULL, PRIMARY KEY (key, block_id))`;
const ROW_COPY = 'COPY row_event FROM STDIN (FORMAT binary)';
const BLOCK_COPY = 'COPY raw_block FROM STDIN (FORMAT binary)';
const KEY_COPY = 'COPY raw_key FROM STDIN (FORMAT binary)';
/** Requests to a transaction: as many rows as the receiver's flushes hold under load. */
const REQUESTS_PER_COPY = 16;

/** @param url of an empty database  @param records at least some ten thousand, half of each signal */
export async function benchYardsticks(
  url: string,
  records: number,
  signals: readonly PayloadSignal[],
): Promise<Yardsticks> {
  const requests = Math.ceil(records / RECORDS / REQUESTS_PER_COPY) * REQUESTS_PER_COPY;
  const payloads = signals.map((signal) => createPayload(signal));
  const now = BigInt(Date.now()) * 1_000_000n;
  const rows: Uint8Array[] = [];
  const blocks: [Uint8Array, Uint8Array][] = [];
  for (let first = 0; first < requests; first += REQUESTS_PER_COPY) {
    const copies = Array.from({ length: REQUESTS_PER_COPY }, (_, i) => {
      const payload = payloads[(first + i) % payloads.length]!;
      const body = payload.stamped(first + i, now + BigInt(first + i) * 1_000_000n);
      return buildBlock('default', 0, '2026-01-15', indexRequest(payload.signal, body).records);
    });
    rows.push(rowsOf(copies));
    blocks.push(blocksOf(copies));
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(TABLES);
    const rowSeconds = await timed(async () => {
      for (const copy of rows) await pipeline([copy], client.query(copyFrom(ROW_COPY)));
    });
    const blockSeconds = await timed(async () => {
      for (const [block, keys] of blocks) {
        await client.query('BEGIN');
        await pipeline([block], client.query(copyFrom(BLOCK_COPY)));
        await pipeline([keys], client.query(copyFrom(KEY_COPY)));
        await client.query('COMMIT');
      }
    });
    return { rowsPerSecond: (requests * RECORDS) / rowSeconds, blocksPerSecond: (requests * RECORDS) / blockSeconds };
  } finally {
    await client.end();
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function rowsOf(blocks: readonly Block[]): Uint8Array {
  const copy = new CopyBinary();
  for (const block of blocks) {
    const index = decodeIndex(block.index);
    const events = readBlock(index, decodePayload(block.payload));
    for (let i = 0; i < index.count; i++) {
      const event = events.event(i, () => undefined);
      const correlation = event.correlation_id ?? '';
      copy.row(11).uuid(event.id).int8(index.columns.time[i]!).int8(blockKey('correlation', correlation));
      copy.int8(blockKey('component', event.component_type, event.component_id));
      copy
        .int2(index.columns.type[i]!)
        .int2(index.columns.severity[i]!)
        .uuid(event.trace_id ?? event.id);
      copy.text(correlation).text(event.component_id).text(event.message).text(JSON.stringify(event.data));
    }
  }
  return copy.end();
}

function blocksOf(blocks: readonly Block[]): [Uint8Array, Uint8Array] {
  const rows = new CopyBinary();
  const keys = new CopyBinary();
  for (const block of blocks) {
    rows.row(3).uuid(block.id).bytea(block.index).bytea(block.payload);
    for (const key of block.keys) keys.row(2).int8(key).uuid(block.id);
  }
  return [rows.end(), keys.end()];
}
