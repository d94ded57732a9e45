import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Part } from './lifecycle.ts';
import { createLogger } from './log.ts';
import { watchFiles } from './watch-files.ts';

let directory: string;
let watching: Part | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'watch-'));
});
afterEach(async () => {
  await watching?.stop();
  await rm(directory, { recursive: true });
});

async function watch(path: string, changed: () => void): Promise<void> {
  watching = watchFiles({ paths: [path], changed, log: createLogger('silent'), everyMs: 5 });
  await watching.start();
}

test('a file that is written again is told of', async () => {
  const path = join(directory, 'a');
  await writeFile(path, '1');
  const changed = vi.fn();
  await watch(path, changed);
  await writeFile(path, 'two');
  await vi.waitFor(() => expect(changed).toHaveBeenCalled());
});

test('a link whose target is swapped is told of', async () => {
  const path = join(directory, 'link');
  for (const name of ['a', 'b']) await writeFile(join(directory, name), name);
  await symlink('a', path);
  const changed = vi.fn();
  await watch(path, changed);
  await symlink('b', `${path}.new`);
  await rename(`${path}.new`, path);
  await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1));
});

test('what cannot be used is tried again when it changes again', async () => {
  const path = join(directory, 'a');
  await writeFile(path, '1');
  const changed = vi.fn(() => {
    if (changed.mock.calls.length === 1) throw new Error('half written');
  });
  await watch(path, changed);
  await writeFile(path, 'two');
  await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1));
  await writeFile(path, 'three');
  await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(2));
});
