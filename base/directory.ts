/** Directories that are made where they are missing. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * `mkdir -p`, also beside others who make the same. Not Node's `recursive`, which never comes back where a file system has no place for
 * directories (`/proc/x`): it takes ENOENT for a parent that is missing, makes the parent, which is there, and tries again.
 * @returns the topmost directory that was made; undefined when all were there
 * @throws what mkdir throws
 */
export async function makeDirectory(path: string): Promise<string | undefined> {
  try {
    return await makeOne(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const parent = await makeDirectory(dirname(path));
    // Once more, whoever made the parent: where there can be no directory this throws ENOENT again.
    const own = await makeOne(path);
    return parent ?? own;
  }
}

async function makeOne(path: string): Promise<string | undefined> {
  try {
    await mkdir(path);
    return path;
  } catch (error) {
    // Whether what is there is a directory, whoever uses it finds out.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  }
}
