/**
 * Which files of the archive a look-up opens, and which of their blocks: by the keys that they hold, and where an attribute or a text is
 * searched for by the filters of those. The summary of a day (summary.ts) is asked first, then each file that is left, then its blocks.
 */
import type { BlockFilters } from '../../model/block.ts';
import type { BlockSelector, FileTally, FilterProbe } from '../contract.ts';
import type { Catalog, DayFiles } from './catalog.ts';
import { INDEX } from './catalog.ts';
import { askedBy, BlockFiltersOfFile, mayHoldAll } from './contents.ts';
import type { DirectoryEntry } from './directory.ts';
import { filterBlock, mayHold } from './filter.ts';
import type { Manifest } from './manifest.ts';
import type { Objects, Place } from './objects.ts';

export interface LookupOptions {
  objects: Objects;
  catalog: Catalog;
  nameOf(manifest: Manifest, kind: string): string;
  directory(manifest: Manifest): Promise<DirectoryEntry[]>;
  /** Null, counted and told, for what cannot be read. */
  readable<T>(manifest: Manifest, what: () => Promise<T>): Promise<T | null>;
}

/** A block that may be wanted. */
export interface ArchivedBlock {
  manifest: Manifest;
  entry: DirectoryEntry;
  /** As far as its own filters know. */
  mayHold(): Promise<boolean>;
}

export function createLookup({ objects, catalog, nameOf, directory, readable }: LookupOptions) {
  return { candidates, matching, filtersOf };

  /** Files of that time that may hold what is wanted, as far as the summaries of their days know: some looks a day, many days at once. */
  async function candidates(
    { tenant, start = 0n, end, mayHold }: BlockSelector,
    keys: readonly bigint[] | undefined,
    tally: FileTally,
  ): Promise<Manifest[]> {
    const files: Manifest[] = [];
    const days = await catalog.ofTenant(tenant);
    const ofDay = async ({ manifests, summary }: DayFiles): Promise<Manifest[]> => {
      const inTime = manifests.filter(
        ({ id_max, time_min }) => timeOf(id_max) >= start && (end === undefined || BigInt(time_min) <= end),
      );
      tally.considered += inTime.length;
      if (summary === null || inTime.length < 2) return inTime;
      if (keys !== undefined) {
        const { name, length } = summary.filter;
        tally.opened++;
        const hits = await filterHits(name, { offset: 0, length }, keys).catch(() => keys);
        if (hits.length === 0) return [];
      }
      if (mayHold === undefined || summary.contents === null) return inTime;
      tally.opened++;
      return holding(summary.contents, inTime, mayHold).catch(() => inTime);
    };
    for (let i = 0; i < days.length; i += DAYS_AT_ONCE) {
      files.push(...(await Promise.all(days.slice(i, i + DAYS_AT_ONCE).map(ofDay))).flat());
    }
    return files;
  }

  /** Those of the files of a day whose filters do not deny it, and those that have none. */
  async function holding(
    { name, places }: NonNullable<NonNullable<DayFiles['summary']>['contents']>,
    manifests: readonly Manifest[],
    probe: FilterProbe,
  ): Promise<Manifest[]> {
    const told = manifests.filter((manifest) => places[manifest.name] !== undefined);
    if (told.length === 0) return [...manifests];
    const kinds = askedBy(probe);
    const ofKind = (kind: keyof BlockFilters) => told.map((manifest) => places[manifest.name]![kind]);
    const ranges = kinds.map((kind) => around(ofKind(kind)));
    const bytes = await objects.get(name, ranges);
    const denied = new Set(
      told.filter((_, file) => {
        const filters = kinds.map((kind, i) => {
          const { offset, length } = ofKind(kind)[file]!;
          const start = offset - ranges[i]!.offset;
          return [kind, bytes[i]!.subarray(start, start + length)];
        });
        return !mayHoldAll(probe, Object.fromEntries(filters));
      }),
    );
    return manifests.filter((manifest) => !denied.has(manifest));
  }

  /** Blocks that hold one of the keys; none, after a look at 64 bytes a key, of most files. */
  async function matching(
    manifest: Manifest,
    keys: bigint[] | undefined,
    probe: FilterProbe | undefined,
  ): Promise<ArchivedBlock[]> {
    const { contents } = manifest;
    const hits = keys && (await readable(manifest, () => filterHits(nameOf(manifest, INDEX), manifest.filter, keys)));
    if (hits === null || hits?.length === 0) return [];
    if (probe !== undefined && contents !== undefined) {
      const filters = await readable(manifest, () => filtersOf(manifest, askedBy(probe)));
      if (filters !== null && !mayHoldAll(probe, filters)) return [];
    }
    const wanted = hits && new Set(hits);
    const ofBlocks =
      probe === undefined || contents === undefined
        ? null
        : new BlockFiltersOfFile(contents.blocks, manifest.blocks, async (place) => {
            const [bytes] = await objects.get(nameOf(manifest, INDEX), [place]);
            return bytes!;
          });
    const entries = (await readable(manifest, () => directory(manifest))) ?? [];
    return entries
      .map((entry, position) => ({
        ...{ manifest, entry },
        mayHold: async () => ofBlocks === null || ofBlocks.mayHold(position, probe!),
      }))
      .filter(({ entry }) => wanted === undefined || entry.keys.some((key) => wanted.has(key)));
  }

  /** Null in a file from before there were any. */
  async function filtersOf(manifest: Manifest, kinds: readonly (keyof BlockFilters)[]): Promise<BlockFilters | null> {
    const { contents } = manifest;
    if (contents === undefined) return null;
    const bytes = await objects.get(
      nameOf(manifest, INDEX),
      kinds.map((kind) => contents[kind]),
    );
    const none = { texts: new Uint8Array(), attributes: new Uint8Array() };
    return { ...none, ...Object.fromEntries(kinds.map((kind, i) => [kind, bytes[i]!])) };
  }

  async function filterHits(name: string, { offset, length }: Place, keys: readonly bigint[]): Promise<bigint[]> {
    const places = keys.map((key): Place => {
      const block = filterBlock(key, length);
      return { offset: offset + block.offset, length: block.length };
    });
    const bytes = await objects.get(name, places);
    return keys.filter((key, i) => mayHold(bytes[i]!, key));
  }
}

const DAYS_AT_ONCE = 16;

/** From where the first begins to where the last ends. */
function around(places: readonly Place[]): Place {
  const offset = Math.min(...places.map((place) => place.offset));
  return { offset, length: Math.max(...places.map((place) => place.offset + place.length)) - offset };
}

/** The newest time of a block, as its id says. */
export function timeOf(id: string): bigint {
  return BigInt(`0x${id.slice(0, 16)}`);
}
