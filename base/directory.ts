/** Directories that are made where they are missing. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * `mkdir -p`. Not Node's `recursive`, which never comes back where a file system has no place for directories (`/proc/x`): it takes ENOENT
 * for a parent that is missing, makes the parent, which is there, and tries again.
 * @returns the topmost directory that was made; undefined when all were there
 * @throws what mkdir throws
 */
export async function makeDirectory(path: string): Promise<string | undefined> {
  try {
    await mkdir(path);
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      const made = await makeDirectory(dirname(path));
      if (made === undefined) throw error;
      await mkdir(path);
      return made;
    }
    // Whether what is there is a directory, whoever uses it finds out.
    if (code === 'EEXIST') return undefined;
    throw error;
  }
}
