/**
 * Which files there are: the manifests in the folders of a tenant, one folder a day. A file is what its manifest says; without one it
 * was never finished and is nobody's.
 *
 *   tenant=default/date=2026-01-15/12-9f86d081884c7d65.otlp.jsonl.zst    zstd frames of OTLP JSON lines, one frame a block
 *                                 12-9f86d081884c7d65.index             indexes and patches, directory, filter
 *                                 12-9f86d081884c7d65.json              the manifest, committed last
 *                                 day-0b5e44c59e6ad1ae.manifests        the manifests of all files of the day in one (summary.ts)
 *                                 day-0b5e44c59e6ad1ae.filter           the keys of all files of the day
 *                                 day-0b5e44c59e6ad1ae.contents         what attributes and texts each of them holds (contents.ts)
 *                                 rows-2c26b46b68ffc68f.jsonl.zst       what the rows said of the day, one object, whole by itself
 */
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Counter } from '../../base/meter.ts';
import type { FilterPlaces } from './contents.ts';
import type { Manifest } from './manifest.ts';
import type { Objects } from './objects.ts';
import { DAY_CONTENTS, DAY_FILTER, DAY_MANIFESTS, type DaySummary, summaryName } from './summary.ts';

export const LINES = '.otlp.jsonl.zst';
export const INDEX = '.index';
export const MANIFEST = '.json';

export const ROWS = '.jsonl.zst';

/** The folder of a tenant's day. Names come from outside: encoded, and behind a prefix, they are never a path. */
export function dayFolder(tenant: string, day: string): string {
  assert(/^\d{4}-\d\d-\d\d$/.test(day), `no day: ${day}`);
  return `${tenantFolder(tenant)}/date=${day}`;
}

export class Catalog {
  readonly #objects: Objects;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #unreadable: Counter;
  readonly #folders = new Map<string, Folder>();
  /** Where folders do not say when they changed: when they were last listed, and what was there. */
  readonly #listed = new Map<string, { atMs: number; days: string[] }>();

  constructor(objects: Objects, clock: Clock, log: Logger, unreadable: Counter) {
    this.#objects = objects;
    this.#clock = clock;
    this.#log = log;
    this.#unreadable = unreadable;
  }

  /** Names are of what was archived here: whoever asks for what they give finds it, in whatever way they are spelled. */
  async tenants(): Promise<string[]> {
    const { folders } = await this.#objects.list('');
    const names = folders.filter((name) => name.startsWith('tenant='));
    return names.map((name) => decodeURIComponent(name.slice('tenant='.length))).sort();
  }

  /** Ascending. */
  async days(tenant: string): Promise<string[]> {
    const folder = tenantFolder(tenant);
    const known = this.#listed.get(folder);
    if (known !== undefined && this.#clock.monotonicMs() - known.atMs < LISTED_MS) return known.days;
    const { folders } = await this.#objects.list(folder);
    const days = folders
      .filter((name) => name.startsWith('date='))
      .map((name) => name.slice('date='.length))
      .sort();
    if ((await this.#objects.stamp(folder)) === null) {
      this.#listed.set(folder, { atMs: this.#clock.monotonicMs(), days });
    }
    return days;
  }

  /** All files of a tenant, day by day in ascending order. */
  async ofTenant(tenant: string): Promise<DayFiles[]> {
    const files: DayFiles[] = [];
    const days = await this.days(tenant);
    for (let i = 0; i < days.length; i += AT_ONCE) {
      files.push(...(await Promise.all(days.slice(i, i + AT_ONCE).map((day) => this.#filesOf(tenant, day)))));
    }
    return files;
  }

  async ofDay(tenant: string, day: string): Promise<Manifest[]> {
    return (await this.#filesOf(tenant, day)).manifests;
  }

  async #filesOf(tenant: string, day: string): Promise<DayFiles> {
    const { manifests, summary } = await this.#ofFolder(dayFolder(tenant, day));
    return { manifests: manifests.filter((manifest) => manifest.tenant === tenant), summary };
  }

  /** What this process has changed is seen at once. */
  changed(tenant: string, day: string): void {
    this.#listed.delete(tenantFolder(tenant));
    const folder = this.#folders.get(dayFolder(tenant, day));
    if (folder !== undefined) folder.readMs = Number.NEGATIVE_INFINITY;
  }

  /** A folder is read again when it changed, and while it is so young that a change may not show in its time. */
  async #ofFolder(folder: string): Promise<DayFiles> {
    let known = this.#folders.get(folder);
    const stamp = await this.#objects.stamp(folder);
    const nowMs = this.#clock.monotonicMs();
    if (known !== undefined && known.stamp === stamp) {
      const isSettled = stamp === null ? nowMs - known.readMs < LISTED_MS : known.readMs - known.changedMs > STEP_MS;
      if (isSettled) return known;
    }
    const { files } = await this.#objects.list(folder);
    const names = files.filter((name) => name.endsWith(MANIFEST));
    const summary = `${folder}/${summaryName(names.map((name) => name.slice(0, -MANIFEST.length)))}`;
    const isThere = files.some((name) => `${folder}/${name}` === summary + DAY_MANIFESTS);
    if (isThere && known?.summary?.name !== summary) {
      const whole = await this.#readSummary(summary, names);
      if (whole !== null) known = { ...whole, stamp: null, changedMs: nowMs, readMs: nowMs };
    }
    const manifests: Manifest[] = [];
    for (let i = 0; i < names.length; i += AT_ONCE) {
      const some = names.slice(i, i + AT_ONCE).map(
        // A manifest never changes: one that is known is not read again.
        (name) =>
          known?.manifests.find((one) => name === one.name + MANIFEST) ?? this.#read<Manifest>(`${folder}/${name}`),
      );
      manifests.push(...(await Promise.all(some)).filter((manifest) => manifest !== null));
    }
    const changedMs = known?.stamp === stamp ? known.changedMs : nowMs;
    const found = {
      ...{ stamp, changedMs, readMs: nowMs, manifests },
      summary: known?.summary?.name === summary ? known.summary : null,
    };
    this.#folders.set(folder, found);
    return found;
  }

  /** Null where it cannot be read, or tells of other files than its name does. */
  async #readSummary(name: string, manifests: readonly string[]): Promise<DayFiles | null> {
    const summary = await this.#read<DaySummary>(name + DAY_MANIFESTS);
    if (summary === null || summary.manifests.some((one) => !manifests.includes(one.name + MANIFEST))) return null;
    const { manifests: told, filter_bytes, contents } = summary;
    return {
      manifests: told,
      summary: {
        name,
        filter: { name: name + DAY_FILTER, length: filter_bytes },
        contents: contents === undefined ? null : { name: name + DAY_CONTENTS, places: contents },
      },
    };
  }

  async #read<Read extends { format: number }>(name: string): Promise<Read | null> {
    try {
      const pieces: Uint8Array[] = [];
      for await (const piece of this.#objects.read(name)) pieces.push(piece);
      const manifest = JSON.parse(Buffer.concat(pieces).toString()) as Read;
      if (manifest.format !== 1) throw new Error(`format ${manifest.format} is of a newer version`);
      return manifest;
    } catch (error) {
      this.#unreadable.inc();
      this.#log.error({ file: name, err: error }, 'a manifest of the archive cannot be read');
      return null;
    }
  }
}

export interface DayFiles {
  manifests: Manifest[];
  /** Of all of them, where there is one. */
  summary: {
    name: string;
    /** Over their keys. */
    filter: { name: string; length: number };
    /** By the name of a file; null in those from before there were any. */
    contents: { name: string; places: Record<string, FilterPlaces> } | null;
  } | null;
}

interface Folder extends DayFiles {
  stamp: string | null;
  /** When this stamp was first seen. */
  changedMs: number;
  readMs: number;
}

// Two changes of a folder may have the same time where the file system's clock steps coarsely.
const STEP_MS = 2_000;
// A list of a bucket costs a request: what another process has archived is seen so much later.
const LISTED_MS = 10_000;
const AT_ONCE = 16;

function tenantFolder(tenant: string): string {
  // What encodeURIComponent leaves of a name of dots is behind a prefix.
  return `tenant=${encodeURIComponent(tenant.toWellFormed())}`;
}
