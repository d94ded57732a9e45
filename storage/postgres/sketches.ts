/** Sketches of minutes, merged by us while the server keeps their rows locked. */
import type pg from 'pg';
import { Sketch } from '../../model/sketch.ts';
import { recordset } from './rows.ts';

interface SketchRow {
  minute: bigint;
  shard: number;
  /** A sketch as bytes: no map is made of it on the way. */
  latency: Uint8Array;
}

/**
 * Adds sketches to those of the rows that the transaction has just written.
 * @param key column that tells the rows of a minute apart
 * @param stored what the rows have, as text for 64 bits
 */
export async function addSketches<Key extends string>(
  client: pg.ClientBase,
  tenant: string,
  { table, key }: { table: string; key: Key },
  added: readonly (SketchRow & Record<Key, bigint>)[],
  stored: readonly ({ minute: string; latency: Buffer } & Record<Key, string>)[],
): Promise<void> {
  const timed = added.filter(({ latency }) => latency.some((byte) => byte !== 0));
  if (timed.length === 0) return;
  const before = new Map(stored.map((row) => [`${row[key]} ${row.minute}`, row.latency]));
  await client.query(
    `UPDATE ${table} AS known SET latency = merged.latency
     FROM json_to_recordset($2) AS merged (key bigint, minute bigint, shard smallint, latency bytea)
     WHERE known.tenant_id = $1 AND known.${key} = merged.key AND known.minute = merged.minute
       AND known.shard = merged.shard`,
    [
      tenant,
      recordset(
        timed.map(({ [key]: own, minute, shard, latency }) => ({
          ...{ key: own, minute, shard },
          latency: `\\x${Sketch.mergeBytes(latency, before.get(`${own} ${minute}`)!).toHex()}`,
        })),
      ),
    ],
  );
}

/** SQL: the sketches of a group, each behind its length: the server cannot merge them, and a row each costs more to read than they do. */
export const BEHIND_EACH_OTHER = "string_agg(int4send(octet_length(latency)) || latency, ''::bytea)";

/** Of what {@link BEHIND_EACH_OTHER} made. */
export function mergedSketch(bytes: Buffer): Sketch {
  const merged = new Sketch();
  merged.addAll(bytes);
  return merged;
}

/** A Buffer's `slice` shares memory where fromBytes expects a copy of its own. */
export function sketchOf(stored: Buffer): Sketch {
  return Sketch.fromBytes(new Uint8Array(stored));
}
