/** From the setting to the place: a folder or a bucket. Nobody who archives to a disk loads the client of buckets. */
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeDirectory } from '../../base/directory.ts';
import { createDirectoryObjects } from './folder.ts';
import type { Objects, S3Settings } from './objects.ts';

/** @returns null for what is no URL of a place for objects */
export function objectsAt(url: string, s3: S3Settings, scratch: string | undefined): Objects | null {
  if (url.startsWith('s3://')) return lazily(async () => (await import('./s3.ts')).createS3Objects(url, s3), scratch);
  const folder = folderOf(url);
  return folder === null ? null : createDirectoryObjects(folder);
}

/** Null for what is no `file:` URL. Relative folders are no URLs by the letter, and what everybody writes. */
function folderOf(url: string): string | null {
  if (!url.startsWith('file:') || url.length === 'file:'.length) return null;
  return url.startsWith('file://') ? fileURLToPath(url) : resolve(url.slice('file:'.length));
}

/** Loads what it needs when it is opened. */
function lazily(load: () => Promise<Objects>, scratch = join(process.cwd(), '.ai-debug', 'growing')): Objects {
  let loaded: Objects | undefined;
  const objects = () => {
    if (loaded === undefined) throw new Error('the archive is not open');
    return loaded;
  };
  return {
    scratch,
    async open() {
      loaded ??= await load();
      await makeDirectory(scratch);
      await loaded.open();
    },
    put: (name, content) => objects().put(name, content),
    get: (name, places) => objects().get(name, places),
    read: (name) => objects().read(name),
    size: (name) => objects().size(name),
    list: (folder) => objects().list(folder),
    stamp: (folder) => objects().stamp(folder),
    delete: (name) => objects().delete(name),
  };
}
