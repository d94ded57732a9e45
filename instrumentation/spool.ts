import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Format, Signal } from './settings.ts';

/** One OTLP export request. */
export interface Parcel {
  signal: Signal;
  format: Format;
  body: Uint8Array;
}

export interface SpoolSettings {
  /** Shared by all processes of this user that deliver to the same receiver; each has a folder of its own in it. */
  directory: string;
  /** Most that this process leaves on the disk; 0 for no spool. The oldest leaves first. */
  bytesMax: number;
  /** This run of this thread: unlike any other's, so that nobody takes its folder for one that was left behind. */
  owner: string;
  dropped: (count: number, reason: string) => void;
}

interface Entry {
  name: string;
  signal: Signal;
  format: Format;
  bytes: number;
}

/** A folder whose owner cannot be asked (another host or container that shares the disk) is left behind when it is this old. */
const ABANDONED_MS = 10 * 60_000;
const HEARTBEAT_MS = 60_000;

/**
 * Requests that could not be delivered, one file each, in the order in which they came. They outlive the process: the next one
 * of the same user adopts what a dead one has left. Nothing is created on the disk until something has to be kept.
 *
 * A file is written aside and renamed, so a process that is killed leaves none that is half. A request that was delivered just
 * before the kill is delivered again: a receiver tells records apart by their ids.
 */
export class Spool {
  readonly #settings: SpoolSettings;
  readonly #folder: string;
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #sequence = 0;
  #ready: Promise<unknown> | undefined;
  /** The folder is on its way out: what is written meanwhile would go with it. */
  #leaving: Promise<unknown> = Promise.resolve();
  #writing = 0;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(settings: SpoolSettings) {
    this.#settings = settings;
    this.#folder = join(settings.directory, settings.owner);
  }

  get empty(): boolean {
    return this.#entries.length === 0;
  }

  /** @returns the name to `remove` it by. @throws what the disk says, or that the spool is off */
  async keep(parcel: Parcel): Promise<string> {
    if (this.#settings.bytesMax < parcel.body.length) throw new Error('larger than the spool');
    const entry = this.#entryOf(parcel);
    this.#writing++;
    try {
      await this.#write(entry.name, parcel.body).catch((error) => {
        if (!isMissing(error)) throw error;
        // Somebody has cleaned up the folder, which is their right.
        this.#ready = undefined;
        return this.#write(entry.name, parcel.body);
      });
    } finally {
      this.#writing--;
    }
    this.#add(entry);
    return entry.name;
  }

  async #write(name: string, body: Uint8Array): Promise<void> {
    await this.#prepared();
    const path = join(this.#folder, name);
    await writeFile(`${path}.part`, body, { mode: 0o600 });
    await rename(`${path}.part`, path);
  }

  /** The same for a process at its end. @throws what the disk says */
  keepSync(parcel: Parcel): void {
    if (this.#settings.bytesMax < parcel.body.length) throw new Error('larger than the spool');
    const path = join(this.#folder, this.#entryOf(parcel).name);
    const write = (): void => {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileSync(path, parcel.body, { mode: 0o600 });
    };
    try {
      write();
    } catch (error) {
      if (!isMissing(error)) throw error;
      write(); // The folder was just leaving, which it does once.
    }
  }

  /** The oldest request, which stays until it is removed; undefined when there is none. */
  async oldest(): Promise<({ name: string } & Parcel) | undefined> {
    for (let entry = this.#entries[0]; entry !== undefined; entry = this.#entries[0]) {
      try {
        const body = await readFile(join(this.#folder, entry.name));
        return { name: entry.name, signal: entry.signal, format: entry.format, body };
      } catch {
        // It was delivered meanwhile; or somebody has cleaned up.
        if (entry !== this.#entries[0]) continue;
        this.#forget(entry.name);
        this.#settings.dropped(1, 'the spool was emptied by somebody else');
      }
    }
    return undefined;
  }

  async remove(name: string): Promise<void> {
    this.#forget(name);
    await rm(join(this.#folder, name), { force: true }).catch(() => {});
    if (!this.empty || this.#writing > 0) return;
    this.#ready = undefined;
    this.#leaving = rmdir(this.#folder).catch(() => {});
    await this.#leaving;
  }

  /** Takes over what dead processes have left. @returns whether there was anything */
  async adopt(): Promise<boolean> {
    const { directory, owner } = this.#settings;
    const others = await readdir(directory).catch(() => []);
    for (const other of others) {
      if (other === owner || !(await isAbandoned(directory, other, owner))) continue;
      const taken = join(directory, `${owner}~${other.slice(0, 64)}`);
      this.#writing++;
      try {
        await rename(join(directory, other), taken); // Whoever renames it first has it.
        const parcels = (await readdir(taken)).sort().flatMap((file) => kindOf(file) ?? []);
        if (parcels.length > 0) await this.#prepared();
        for (const { file, signal, format } of parcels) {
          const name = this.#nameOf(signal, format);
          const { size } = await stat(join(taken, file));
          await rename(join(taken, file), join(this.#folder, name));
          this.#add({ name, signal, format, bytes: size });
        }
        await rm(taken, { recursive: true, force: true });
      } catch {
      } finally {
        this.#writing--;
      }
    }
    return !this.empty;
  }

  #entryOf({ signal, format, body }: Parcel): Entry {
    return { name: this.#nameOf(signal, format), signal, format, bytes: body.length };
  }

  #nameOf(signal: Signal, format: Format): string {
    const order = `${Date.now().toString().padStart(15, '0')}-${String(this.#sequence++).padStart(9, '0')}`;
    return `${order}.${signal}.${format}`;
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
    while (this.#bytes > this.#settings.bytesMax) {
      const [oldest] = this.#entries;
      void this.remove(oldest!.name);
      this.#settings.dropped(1, 'the spool is full');
    }
  }

  #forget(name: string): void {
    const at = this.#entries.findIndex((entry) => entry.name === name);
    if (at < 0) return;
    const [entry] = this.#entries.splice(at, 1);
    this.#bytes -= entry!.bytes;
  }

  /** The folder, and a heartbeat that says whose it is for as long as there is anything in it. */
  #prepared(): Promise<unknown> {
    this.#ready ??= this.#leaving.then(async () => {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS);
    });
    return this.#ready;
  }

  #beat(): void {
    if (!this.empty) return void utimes(this.#folder, new Date(), new Date()).catch(() => {});
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** `host_pid_instance_thread`: see `ownerOf`. */
async function isAbandoned(directory: string, other: string, owner: string): Promise<boolean> {
  const [host, pid, instance] = other.split('_');
  const [, ownPid, ownInstance] = owner.split('_');
  if (host === hostPart() && pid !== undefined) {
    // The same process id again is an earlier process, unless it is a thread of this very one.
    if (pid === ownPid) return instance !== ownInstance;
    return !isAlive(Number(pid));
  }
  try {
    const { mtimeMs } = await stat(join(directory, other));
    return Date.now() - mtimeMs > ABANDONED_MS;
  } catch {
    return false;
  }
}

export function ownerOf(pid: number, instance: string, thread: number): string {
  return `${hostPart()}_${pid}_${instance.replaceAll('_', '')}_${thread}`;
}

function hostPart(): string {
  return hostname().replaceAll(/[^\w.-]|_/g, '-');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function kindOf(file: string): { file: string; signal: Signal; format: Format } | undefined {
  const [, signal, format] = /^[\d-]+\.(traces|logs|metrics)\.(protobuf|json)$/.exec(file) ?? [];
  return signal === undefined ? undefined : { file, signal: signal as Signal, format: format as Format };
}
