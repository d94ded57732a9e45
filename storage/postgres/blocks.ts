/** Finding blocks: a few index entries at a time, the payload only of those that somebody opens. */
import { DebugError } from '../../base/errors.ts';
import type { Block } from '../../model/block.ts';
import { hex64 } from '../../model/ids.ts';
import type { BlockSelector, FilterProbe, FoundBlock } from '../contract.ts';
import { rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { type FilterCondition, filterCondition } from './filters.ts';

/** Blocks that match, newest first. Holds nothing between two chunks, so that leaving the loop early costs nothing. */
export function findBlocks(connection: Connection, selector: BlockSelector): AsyncIterable<FoundBlock> {
  const { keys, besides, mayHold } = selector;
  const end = selector.end === undefined ? null : rowTime(selector.end);
  if (keys !== undefined) {
    const [statement, asked] = keyStatement(keys, besides);
    return inChunks(selector, mayHold === undefined ? CHUNKS : CHUNKS_OF_KEY_ASKED, async (bounds, version) => {
      const chunk = await idsOf(connection, statement, bounds, asked, version);
      return indexesOf(connection, bounds[0], end, mayHold, chunk);
    });
  }
  const filter = mayHold === undefined ? null : filterCondition(mayHold, 11);
  if (filter === null) {
    return inChunks(selector, CHUNKS, (bounds, version) => blocksOf(connection, OF_TENANT, bounds, end, version));
  }
  const statement = ofTenantHolding(filter);
  return inChunks(selector, CHUNKS_ASKED, (bounds, version, found) =>
    blocksOf(connection, statement, bounds, end, version, { most: found, values: filter.values }),
  );
}

/** Tenants that have blocks, sorted: a jump from tenant to tenant along the primary key. */
export async function tenantsWithBlocks(connection: Connection): Promise<string[]> {
  const rows = await connection.rowsOfAll<{ tenant_id: string }>(`
    WITH RECURSIVE known AS (
      SELECT min(tenant_id) AS tenant_id FROM block
      UNION ALL
      SELECT (SELECT min(tenant_id) FROM block WHERE tenant_id > known.tenant_id) FROM known WHERE tenant_id IS NOT NULL
    ) SELECT tenant_id FROM known WHERE tenant_id IS NOT NULL`);
  return rows.map(({ tenant_id }) => tenant_id);
}

/** All blocks of a day, newest first. */
export function findBlocksOfDay(connection: Connection, tenant: string, day: string): AsyncIterable<FoundBlock> {
  return inChunks({ tenant }, CHUNKS, (bounds, version) => blocksOf(connection, OF_DAY, bounds, day, version));
}

/**
 * How far a block of each class reaches back from its newest record, in nanoseconds; the last class holds the rest. Blocks are found by
 * their newest record: without classes, one block of a week would make a look-up two days ago walk over all that is newer.
 */
const REACHES = [10n, 120n, 3600n].map((seconds) => seconds * 1_000_000_000n);
const CLASSES = [...REACHES.keys(), REACHES.length];

/** The class of a block's time range. */
export function reachOf({ timeMin, timeMax }: Block): number {
  const known = REACHES.findIndex((reach) => timeMax - timeMin <= reach);
  return known === -1 ? REACHES.length : known;
}

/** How many blocks are looked at, and of those how many at most are taken. */
type ChunkSize = readonly [looked: number, found: number];

// A page of 100 events is in the first block, in some forty that have three each, or in eighty; who reads on wants many. An index has 10 to
// 30 kB, and chunks that double fetch at most twice what is needed.
const FOUND = [8, 32, 64, 128];
const CHUNKS: readonly ChunkSize[] = FOUND.map((size) => [size, size]);
// Of most blocks whose filter is asked nothing else is read.
const CHUNKS_ASKED: readonly ChunkSize[] = [
  [64, 8],
  [256, 32],
  [1024, 64],
  [2048, 128],
];
// Of a key the blocks are looked at by their ids.
const CHUNKS_OF_KEY_ASKED: readonly ChunkSize[] = [...CHUNKS, [512, 512]];

/** $1 tenant, $2 least id, $3 the most rows, $4 to $7 the id below which each class goes on; $8 is what a statement asks besides. */
type Bounds = [string, string, number, ...string[]];

interface Chunk {
  blocks: FoundBlock[];
  /** The id below which the next chunk begins; null at the end. */
  last: string | null;
  /** That the chunk is of, and the one before which what was replaced is gone. */
  version: bigint;
  forgotten: bigint;
}

async function* inChunks(
  { tenant, start = 0n, end, version: asked }: BlockSelector,
  sizes: readonly ChunkSize[],
  read: (bounds: Bounds, version: bigint | null, found: number) => Promise<Chunk>,
): AsyncGenerator<FoundBlock> {
  const reached = CLASSES.map((reach) =>
    end === undefined ? AFTER_ALL : idFrom(end + (REACHES[reach] ?? UINT64_MAX) + 1n),
  );
  let before = AFTER_ALL;
  let version = asked ?? null;
  for (let i = 0; ; i++) {
    const [looked, found] = sizes[i] ?? sizes.at(-1)!;
    const bounds = reached.map((bound) => (bound < before ? bound : before));
    const { blocks, last, ...chunk } = await read([tenant, idFrom(start), looked, ...bounds], version, found);
    version ??= chunk.version;
    if (version < chunk.forgotten) {
      throw new DebugError('UNAVAILABLE', 'the read took so long that blocks were merged away under it', {
        retryAfterSeconds: 1,
      });
    }
    for (const [i, block] of blocks.entries()) {
      // The same block on two days: an old capture that was sent again after midnight. One of them will do.
      if (block.id !== blocks[i - 1]?.id) yield block;
    }
    if (last === null) return;
    before = last;
  }
}

export const IDS = `block_id, reach, to_char(day, 'YYYY-MM-DD') AS day, shard`;
export const BLOCKS = `${IDS}, time_min, block_index`;

// A block id begins with the time of its newest record: a range of ids is a range of times, and their order is newest first.
// $9 is the version, null for the newest.
const VERSION = 'coalesce($9::bigint, (SELECT version FROM block_version))';
const VISIBLE = `tenant_id = $1 AND merged_at <= ${VERSION} AND replaced_at > ${VERSION}`;
const OF_TENANT_ROWS = `FROM block WHERE ${VISIBLE} AND ($8::bigint IS NULL OR time_min <= $8)`;
const OF_TENANT = newest(BLOCKS, `SELECT * ${OF_TENANT_ROWS}`);
const OF_DAY = newest(BLOCKS, `SELECT * FROM block WHERE ${VISIBLE} AND day = $8`);
// A component's key has very many blocks: they come in the index's own order. Those of several keys, a correlation and its
// traces, are sorted.
const KEY_ROWS = 'SELECT block_id, reach, day, shard FROM block_key WHERE tenant_id = $1 AND key = $8';
const OF_KEY = newest(IDS, KEY_ROWS);
const OF_KEYS = newest(
  IDS,
  'SELECT DISTINCT block_id, reach, day, shard FROM block_key WHERE tenant_id = $1 AND key = ANY ($8::bigint[])',
);
// Through an index of their own, which is empty where no older version has written.
const OF_KEY_OR_OLDER = newest(
  IDS,
  KEY_ROWS,
  'SELECT block_id, reach, day, shard FROM block WHERE tenant_id = $1 AND texts IS NULL',
);

/** Which blocks, and what $8 is. */
function keyStatement(keys: readonly bigint[], besides: bigint | undefined): [statement: string, asked: unknown] {
  const signed = keys.map((key) => BigInt.asIntN(64, key));
  if (besides !== undefined) return [OF_KEY_OR_OLDER, BigInt.asIntN(64, besides)];
  return signed.length === 1 ? [OF_KEY, signed[0]] : [OF_KEYS, signed];
}

function newest(columns: string, ...selects: string[]): string {
  // There is always a row, so that an answer without blocks says its version too.
  return `SELECT coalesce($9::bigint, version) AS version, forgotten, chunk.* FROM block_version LEFT JOIN (
    SELECT ${columns} FROM (${ofEachReach(selects)}) each ORDER BY block_id DESC LIMIT $3) chunk ON true
    ORDER BY block_id DESC`;
}

/**
 * Those of the newest that a filter does not deny, $10 of them at most; where there are fewer, also how far it was looked: the last id of as many
 * as were to be looked at.
 */
function ofTenantHolding({ columns, condition }: FilterCondition): string {
  const newestOf = (what: string) =>
    `SELECT ${what} FROM (${ofEachReach([`SELECT ${what} ${OF_TENANT_ROWS}`])}) each ORDER BY block_id DESC`;
  return `WITH found AS (
    SELECT ${BLOCKS} FROM (SELECT looked.*, ${columns} FROM (${newestOf('*')} LIMIT $3) looked OFFSET 0) asked
    WHERE ${condition} ORDER BY block_id DESC LIMIT $10)
  SELECT coalesce($9::bigint, version) AS version, forgotten, found.*,
    CASE WHEN (SELECT count(*) FROM found) < $10 THEN (${newestOf('block_id')} OFFSET $3 - 1 LIMIT 1) END AS looked_to
  FROM block_version LEFT JOIN found ON true ORDER BY block_id DESC`;
}

function ofEachReach(selects: readonly string[]): string {
  const each = CLASSES.flatMap((reach) =>
    selects.map(
      (select) => `(
    ${select} AND reach = ${reach} AND block_id >= $2 AND block_id < $${4 + reach} ORDER BY block_id DESC LIMIT $3)`,
    ),
  );
  return each.join(' UNION ALL ');
}

async function blocksOf(
  connection: Connection,
  statement: string,
  bounds: Bounds,
  asked: unknown,
  version: bigint | null,
  holding?: { most: number; values: unknown[] },
): Promise<Chunk> {
  const rows = await connection.plannedRows<BlockRow & VersionRow & { looked_to?: string | null }>(
    bounds[0],
    statement,
    [...bounds, asked, version, ...(holding === undefined ? [] : [holding.most, ...holding.values])],
  );
  const blocks = rows.filter(({ block_id }) => block_id !== null);
  const lookedTo = rows[0]!.looked_to;
  return {
    ...versionOf(rows),
    blocks: blocks.map((row) => found(connection, bounds[0], row)),
    last: lookedTo ? hexOf(lookedTo) : lastOf(blocks, holding?.most ?? bounds[2]),
  };
}

interface Ids {
  ids: readonly IdRow[];
  last: string | null;
  version: bigint;
  forgotten: bigint;
}

/** The first of two steps, ids from an index alone, then their rows: as one join PostgreSQL reads whole days to find eight blocks. */
async function idsOf(
  connection: Connection,
  statement: string,
  bounds: Bounds,
  asked: unknown,
  version: bigint | null,
): Promise<Ids> {
  const rows = await connection.plannedRows<IdRow & VersionRow>(bounds[0], statement, [...bounds, asked, version]);
  const ids = rows.filter(({ block_id }) => block_id !== null);
  return { ...versionOf(rows), ids, last: lastOf(ids, bounds[2]) };
}

/** Of the blocks of these ids, as the chunk's version has them, newest first: those that no filter denies. */
async function indexesOf(
  connection: Connection,
  tenant: string,
  end: bigint | null,
  mayHold: FilterProbe | undefined,
  { ids, ...rest }: Ids,
): Promise<Chunk> {
  if (ids.length === 0) return { ...rest, blocks: [] };
  const filter = mayHold === undefined ? null : filterCondition(mayHold, 7);
  const rows = await connection.plannedRows<BlockRow>(tenant, filter === null ? OF_IDS : ofIdsHolding(filter), [
    tenant,
    [...new Set(ids.map(({ reach }) => reach))],
    ids.map(({ block_id }) => block_id),
    [...new Set(ids.map(({ day }) => day))],
    end,
    rest.version,
    ...(filter?.values ?? []),
  ]);
  return { ...rest, blocks: rows.map((row) => found(connection, tenant, row)) };
}

const OF_IDS_ROWS = `FROM block
  WHERE tenant_id = $1 AND reach = ANY ($2::smallint[]) AND block_id = ANY ($3::uuid[]) AND day = ANY ($4::date[])
    AND ($5::bigint IS NULL OR time_min <= $5) AND merged_at <= $6 AND replaced_at > $6`;
const OF_IDS = `SELECT ${BLOCKS} ${OF_IDS_ROWS} ORDER BY block_id DESC`;

function ofIdsHolding({ columns, condition }: FilterCondition): string {
  return `SELECT ${BLOCKS} FROM (SELECT *, ${columns} ${OF_IDS_ROWS} OFFSET 0) asked WHERE ${condition} ORDER BY block_id DESC`;
}

function versionOf([row]: readonly VersionRow[]): { version: bigint; forgotten: bigint } {
  return { version: BigInt(row!.version), forgotten: BigInt(row!.forgotten) };
}

export function found(connection: Connection, tenant: string, row: BlockRow): FoundBlock {
  const id = hexOf(row.block_id);
  return {
    id,
    timeMin: BigInt(row.time_min),
    timeMax: BigInt(`0x${id.slice(0, 16)}`),
    index: row.block_index,
    async payload() {
      const [block] = await connection.plannedRows<{ payload: Buffer }>(
        tenant,
        'SELECT payload FROM block WHERE tenant_id = $1 AND reach = $2 AND block_id = $3 AND day = $4 AND shard = $5',
        [tenant, row.reach, id, row.day, row.shard],
      );
      if (block === undefined) {
        throw new DebugError('UNAVAILABLE', `block ${id} left the warm tier while it was read`, {
          retryAfterSeconds: 1,
        });
      }
      return block.payload;
    },
  };
}

interface VersionRow {
  version: string;
  forgotten: string;
}

export interface IdRow {
  block_id: string;
  reach: number;
  day: string;
  shard: number;
}

export interface BlockRow extends IdRow {
  time_min: string;
  block_index: Buffer;
}

function lastOf(rows: readonly IdRow[], limit: number): string | null {
  return rows.length < limit ? null : hexOf(rows.at(-1)!.block_id);
}

function hexOf(uuid: string): string {
  return uuid.replaceAll('-', '');
}

const UINT64_MAX = 0xffff_ffff_ffff_ffffn;
/** Of a record in uint64's last nanosecond with a hash of ones: no block has it. */
const AFTER_ALL = 'f'.repeat(32);

/** The smallest id of a time. */
function idFrom(time: bigint): string {
  return time > UINT64_MAX ? AFTER_ALL : hex64(time > 0n ? time : 0n) + '0'.repeat(16);
}
