/** The archive's objects as files in a folder. */
import { constants, createReadStream } from 'node:fs';
import { access, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory } from '../../base/directory.ts';
import type { Objects } from './objects.ts';

export function createDirectoryObjects(root: string): Objects {
  const scratch = join(root, 'growing');
  const pathOf = (name: string) => join(root, ...name.split('/'));

  async function place(from: string, name: string): Promise<void> {
    const path = pathOf(name);
    const isNew = (await makeDirectory(dirname(path))) !== undefined;
    await rename(from, path);
    await syncFolders(dirname(path), isNew ? root : dirname(path));
  }

  return {
    scratch,
    async open() {
      await makeDirectory(scratch);
      await access(root, constants.W_OK);
    },
    async put(name, content) {
      if (!(content instanceof Uint8Array)) return place(content.file, name);
      const file = join(scratch, `${crypto.randomUUID()}.part`);
      await writeFile(file, content, { flush: true });
      await place(file, name);
    },
    async get(name, places) {
      const path = pathOf(name);
      const file = await open(path, 'r');
      try {
        const read: Uint8Array[] = [];
        for (const { offset, length } of places) {
          const bytes = new Uint8Array(length);
          const { bytesRead } = await file.read(bytes, 0, length, offset);
          if (bytesRead < length) throw new Error(`${path} ends at ${offset + bytesRead}, before ${offset + length}`);
          read.push(bytes);
        }
        return read;
      } finally {
        await file.close();
      }
    },
    read: (name) => createReadStream(pathOf(name), { highWaterMark: 1 << 20 }),
    async size(name) {
      return stat(pathOf(name)).then(({ size }) => size, missing(null));
    },
    async list(folder) {
      const entries = await readdir(pathOf(folder), { withFileTypes: true }).catch(missing([]));
      const names = (isFolder: boolean) =>
        entries.filter((entry) => entry.isDirectory() === isFolder).map(({ name }) => name);
      return { files: names(false), folders: names(true) };
    },
    async stamp(folder) {
      return stat(pathOf(folder)).then(({ mtimeMs }) => String(mtimeMs), missing('none'));
    },
    async delete(name) {
      await rm(pathOf(name), { force: true });
    },
  };
}

function missing<T>(instead: T): (error: { code?: string }) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return instead;
    throw error;
  };
}

/** A name is on disk when its folder is; so is the folder's own in the one above, up to `root`. */
async function syncFolders(folder: string, root: string): Promise<void> {
  for (let path = folder; ; path = dirname(path)) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (path === root || path === dirname(path)) return;
  }
}
