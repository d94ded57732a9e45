/**
 * What the files of a day hold together, so that a look-up over a month opens one object a day and not one an hour, and a process that
 * begins reads one for all manifests: a filter over all keys, and the manifests, which are put last.
 *
 * A summary is named by the files that it tells of. Where one has come or gone since, the name is another: it is nobody's then, and each file is
 * looked at by itself.
 */
import { createHash } from 'node:crypto';
import { FilterBuilder, KEYS_PER_BYTE } from './filter.ts';
import type { Manifest } from './manifest.ts';
import type { Objects } from './objects.ts';

export interface DaySummary {
  format: 1;
  manifests: Manifest[];
  /** Bytes of the filter, an object of its own. */
  filter_bytes: number;
}

export const DAY_MANIFESTS = '.manifests';
export const DAY_FILTER = '.filter';

/** @param manifests names of the day's files, any order  @returns without a suffix */
export function summaryName(manifests: readonly string[]): string {
  const hash = createHash('sha256').update([...manifests].sort().join('\n'));
  return `${PREFIX}${hash.digest('hex').slice(0, 16)}`;
}

/**
 * Puts the summary of a day where it is not there, and takes those away that it replaces.
 * @param keysOf of a file, as its directory has them
 */
export async function putSummary(
  objects: Objects,
  folder: string,
  manifests: readonly Manifest[],
  keysOf: (manifest: Manifest) => Promise<Iterable<bigint>>,
): Promise<void> {
  const { files } = await objects.list(folder);
  const name = summaryName(manifests.map(({ name }) => name));
  const isWorthIt = manifests.length >= FILES_LEAST;
  if (isWorthIt && !files.includes(name + DAY_MANIFESTS)) {
    const filters = manifests.reduce((bytes, { filter }) => bytes + filter.length, 0);
    const builder = new FilterBuilder(filters * KEYS_PER_BYTE);
    for (const manifest of manifests) for (const key of await keysOf(manifest)) builder.add(key);
    const summary: DaySummary = { format: 1, manifests: [...manifests], filter_bytes: builder.bytes.length };
    await objects.put(`${folder}/${name}${DAY_FILTER}`, builder.bytes);
    await objects.put(`${folder}/${name}${DAY_MANIFESTS}`, Buffer.from(`${JSON.stringify(summary)}\n`));
  }
  const replaced = files.filter((file) => file.startsWith(PREFIX) && !(isWorthIt && file.startsWith(name)));
  // What leads to the other first.
  for (const file of replaced.sort().reverse()) await objects.delete(`${folder}/${file}`);
}

const PREFIX = 'day-';
// Fewer are as soon looked at each: a day that hardly anything arrives on gets no two objects more.
const FILES_LEAST = 4;
