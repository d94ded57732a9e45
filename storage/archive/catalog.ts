/**
 * Which files there are: the manifests in the folders of a tenant, one folder a day. A file is what its manifest says; without one it
 * was never finished and is nobody's.
 *
 *   tenant=default/date=2026-01-15/12-9f86d081884c7d65.otlp.jsonl.zst    zstd frames of OTLP JSON lines, one frame a block
 *                                 12-9f86d081884c7d65.index             indexes and patches, directory, filter
 *                                 12-9f86d081884c7d65.json              the manifest, committed last
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Counter } from '../../base/meter.ts';

export interface Manifest {
  format: 1;
  tenant: string;
  day: string;
  /** `HH-` and a hash of the content: two files of one name are the same, so that either may take the other's place. */
  name: string;
  blocks: number;
  records: number;
  /** The greatest block id: no block within is newer. */
  id_max: string;
  /** Nanoseconds, decimal. */
  time_min: string;
  lines: FileFacts;
  index: FileFacts;
  /** In the index file. */
  directory: Place;
  filter: Place;
}

export interface FileFacts {
  bytes: number;
  sha256: string;
}

export interface Place {
  offset: number;
  length: number;
}

export const LINES = '.otlp.jsonl.zst';
export const INDEX = '.index';
export const MANIFEST = '.json';

/** The folder of a tenant's day. Names come from outside: encoded, and behind a prefix, they are never a path. */
export function dayFolder(root: string, tenant: string, day: string): string {
  assert(/^\d{4}-\d\d-\d\d$/.test(day), `no day: ${day}`);
  return join(tenantFolder(root, tenant), `date=${day}`);
}

export class Catalog {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #unreadable: Counter;
  readonly #folders = new Map<string, Folder>();

  constructor(root: string, clock: Clock, log: Logger, unreadable: Counter) {
    this.#root = root;
    this.#clock = clock;
    this.#log = log;
    this.#unreadable = unreadable;
  }

  /** All manifests of a tenant, any order. */
  async ofTenant(tenant: string): Promise<Manifest[]> {
    const folder = tenantFolder(this.#root, tenant);
    const days = (await entriesOf(folder)).filter((name) => name.startsWith('date='));
    const manifests = await Promise.all(days.map((day) => this.#ofFolder(join(folder, day))));
    return manifests.flat().filter((manifest) => manifest.tenant === tenant);
  }

  async ofDay(tenant: string, day: string): Promise<Manifest[]> {
    const manifests = await this.#ofFolder(dayFolder(this.#root, tenant, day));
    return manifests.filter((manifest) => manifest.tenant === tenant);
  }

  /** A folder is read again when it changed, and while it is so young that a change may not show in its time. */
  async #ofFolder(folder: string): Promise<Manifest[]> {
    const changedMs = await stat(folder).then(
      (stats) => stats.mtimeMs,
      () => null,
    );
    if (changedMs === null) return [];
    const known = this.#folders.get(folder);
    if (known?.changedMs === changedMs && known.readMs - changedMs > MTIME_STEP_MS) return known.manifests;
    const readMs = Number(this.#clock.nowNanos() / 1_000_000n);
    const names = (await entriesOf(folder)).filter((name) => name.endsWith(MANIFEST));
    const manifests: Manifest[] = [];
    for (const name of names) {
      // A manifest never changes: one that is known is not read again.
      const manifest = known?.manifests.find((one) => name === one.name + MANIFEST) ?? (await this.#read(folder, name));
      if (manifest !== null) manifests.push(manifest);
    }
    this.#folders.set(folder, { changedMs, readMs, manifests });
    return manifests;
  }

  async #read(folder: string, name: string): Promise<Manifest | null> {
    try {
      const manifest = JSON.parse(await readFile(join(folder, name), 'utf8')) as Manifest;
      if (manifest.format !== 1) throw new Error(`format ${manifest.format} is of a newer version`);
      return manifest;
    } catch (error) {
      this.#unreadable.inc();
      this.#log.error({ file: join(folder, name), err: error }, 'a manifest of the archive cannot be read');
      return null;
    }
  }
}

interface Folder {
  changedMs: number;
  readMs: number;
  manifests: Manifest[];
}

// Two changes of a folder may have the same time where the file system's clock steps coarsely.
const MTIME_STEP_MS = 2_000;

function tenantFolder(root: string, tenant: string): string {
  return join(root, `tenant=${encodeURIComponent(tenant.toWellFormed())}`);
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return [];
    throw error;
  }
}
