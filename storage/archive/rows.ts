/**
 * What the rows said of a day (minutes, edges, templates, correlations of traces, snapshots, resources, insights), as JSON lines beside its events: one
 * object of `{"<kind>": …}` lines, named by its content, so that putting it twice is putting it once.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Sketch } from '../../model/sketch.ts';
import type { ArchivedRows } from '../contract.ts';
import { dayFolder, ROWS } from './catalog.ts';
import type { Objects } from './objects.ts';
import { Growing } from './writer.ts';

export function createArchivedRows(objects: Objects) {
  async function names(tenant: string, day: string): Promise<string[]> {
    const folder = dayFolder(tenant, day);
    const { files } = await objects.list(folder);
    return files.filter((file) => file.startsWith(PREFIX)).map((file) => `${folder}/${file}`);
  }

  return {
    async put(tenant: string, day: string, hours: AsyncIterable<ArchivedRows>): Promise<void> {
      const file = await Growing.open(join(objects.scratch, `${randomBytes(8).toString('hex')}${ROWS}`));
      try {
        for await (const rows of hours) {
          const lines = KINDS.flatMap((kind) =>
            rows[kind].map((row) => `${JSON.stringify({ [kind]: row }, encode)}\n`),
          );
          if (lines.length === 0) continue;
          await file.append(zstdCompressSync(lines.join(''), ZSTD));
          file.keep();
        }
        if (file.size === 0) return await file.discard();
        const { bytes, sha256 } = await file.finish();
        await objects.put(`${dayFolder(tenant, day)}/${PREFIX}${sha256.slice(0, 16)}${ROWS}`, {
          file: file.path,
          bytes,
        });
      } catch (error) {
        await file.discard();
        throw error;
      }
    },

    async *read(tenant: string, day: string): AsyncGenerator<ArchivedRows> {
      for (const name of await names(tenant, day)) {
        const pieces: Uint8Array[] = [];
        for await (const piece of objects.read(name)) pieces.push(piece);
        const rows: Record<string, unknown[]> = Object.fromEntries(KINDS.map((kind) => [kind, []]));
        for (const line of zstdDecompressSync(Buffer.concat(pieces)).toString().split('\n').slice(0, -1)) {
          const parsed = JSON.parse(line) as Record<string, Row>;
          for (const kind of KINDS) if (Object.hasOwn(parsed, kind)) rows[kind]!.push(READ[kind](parsed[kind]!));
        }
        yield rows as unknown as ArchivedRows;
      }
    },

    async remove(tenant: string, day: string): Promise<void> {
      for (const name of await names(tenant, day)) await objects.delete(name);
    },
  };
}

const PREFIX = 'rows-';
const KINDS = [
  'componentMinutes',
  'templateMinutes',
  'edgeMinutes',
  'templates',
  'traceCorrelations',
  'snapshots',
  'resources',
  'insights',
] as const satisfies readonly (keyof ArchivedRows)[];
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/** Times are text, as in OTLP JSON; sketches base64. */
function encode(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Sketch ? Buffer.from(value.toBytes()).toString('base64') : value;
}

const time = (text: unknown) => BigInt(text as string);
const sketchOf = (text: unknown) => Sketch.fromBytes(new Uint8Array(Buffer.from(text as string, 'base64')));

/** A row as it came, from its line. */
const READ: { [Kind in (typeof KINDS)[number]]: (row: Row) => object } = {
  componentMinutes: (row) => ({ ...row, minute: time(row.minute), latency: sketchOf(row.latency) }),
  edgeMinutes: (row) => ({ ...row, minute: time(row.minute), latency: sketchOf(row.latency) }),
  templateMinutes: (row) => ({
    ...row,
    minute: time(row.minute),
    first_time: time(row.first_time),
    last_time: time(row.last_time),
  }),
  templates: (row) => row,
  traceCorrelations: (row) => ({ ...row, time: time(row.time) }),
  snapshots: (row) => ({ ...row, time: time(row.time) }),
  resources: (row) => ({ ...row, first_time: time(row.first_time), last_time: time(row.last_time) }),
  insights: (row) => row,
};

type Row = Record<string, unknown>;
