/**
 * What the files of a day hold together, so that a look-up over a month opens one object a day and not one an hour, and a process that
 * begins reads one for all manifests: a filter over all keys, the filters of attributes and texts of each file, and the manifests, which are put last.
 *
 * A summary is named by the files that it tells of. Where one has come or gone since, the name is another: it is nobody's then, and each file is
 * looked at by itself.
 */
import { createHash } from 'node:crypto';
import type { BlockFilters } from '../../model/block.ts';
import type { FilterPlaces } from './contents.ts';
import { FilterBuilder, KEYS_PER_BYTE } from './filter.ts';
import type { Manifest } from './manifest.ts';
import type { Objects, Place } from './objects.ts';

export interface DaySummary {
  format: 1;
  manifests: Manifest[];
  /** Bytes of the filter, an object of its own. */
  filter_bytes: number;
  /** By the name of a file, where its filters of attributes and texts lie in an object of their own; absent where no file has any. */
  contents?: Record<string, FilterPlaces>;
}

export const DAY_MANIFESTS = '.manifests';
export const DAY_FILTER = '.filter';
export const DAY_CONTENTS = '.contents';

/** @param manifests names of the day's files, any order  @returns without a suffix */
export function summaryName(manifests: readonly string[]): string {
  const hash = createHash('sha256').update([...manifests].sort().join('\n'));
  return `${PREFIX}${hash.digest('hex').slice(0, 16)}`;
}

/**
 * Puts the summary of a day where it is not there, and takes those away that it replaces.
 * @param of a file, as its directory has the keys, and its filters where it has such
 */
export async function putSummary(
  objects: Objects,
  folder: string,
  manifests: readonly Manifest[],
  of: {
    keys(manifest: Manifest): Promise<Iterable<bigint>>;
    filters(manifest: Manifest): Promise<BlockFilters | null>;
  },
): Promise<void> {
  const { files } = await objects.list(folder);
  const name = summaryName(manifests.map(({ name }) => name));
  const isWorthIt = manifests.length >= FILES_LEAST;
  if (isWorthIt && !files.includes(name + DAY_MANIFESTS)) {
    const filters = manifests.reduce((bytes, { filter }) => bytes + filter.length, 0);
    const builder = new FilterBuilder(filters * KEYS_PER_BYTE);
    for (const manifest of manifests) for (const key of await of.keys(manifest)) builder.add(key);
    const { contents, bytes } = await gather(manifests, of.filters);
    const summary: DaySummary = {
      format: 1,
      manifests: [...manifests],
      filter_bytes: builder.bytes.length,
      ...(bytes.length > 0 && { contents }),
    };
    await objects.put(`${folder}/${name}${DAY_FILTER}`, builder.bytes);
    if (bytes.length > 0) await objects.put(`${folder}/${name}${DAY_CONTENTS}`, bytes);
    await objects.put(`${folder}/${name}${DAY_MANIFESTS}`, Buffer.from(`${JSON.stringify(summary)}\n`));
  }
  const replaced = files.filter((file) => file.startsWith(PREFIX) && !(isWorthIt && file.startsWith(name)));
  // What leads to the other first.
  for (const file of replaced.sort().reverse()) await objects.delete(`${folder}/${file}`);
}

/** The filters of all files behind each other, those of one kind together: who asks for one reads one range. */
async function gather(manifests: readonly Manifest[], filtersOf: (manifest: Manifest) => Promise<BlockFilters | null>) {
  const contents: Record<string, FilterPlaces> = {};
  const known: { name: string; filters: BlockFilters }[] = [];
  for (const manifest of manifests) {
    const filters = await filtersOf(manifest);
    if (filters !== null) known.push({ name: manifest.name, filters });
  }
  let offset = 0;
  const place = ({ length }: Uint8Array): Place => {
    offset += length;
    return { offset: offset - length, length };
  };
  const attributes = known.map(({ filters }) => place(filters.attributes));
  const texts = known.map(({ filters }) => place(filters.texts));
  for (const [i, { name }] of known.entries()) contents[name] = { attributes: attributes[i]!, texts: texts[i]! };
  const bytes = Buffer.concat([
    ...known.map(({ filters }) => filters.attributes),
    ...known.map(({ filters }) => filters.texts),
  ]);
  return { contents, bytes };
}

const PREFIX = 'day-';
// Fewer are as soon looked at each: a day that hardly anything arrives on gets no two objects more.
const FILES_LEAST = 4;
