import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDirectory } from './directory.ts';

test('a directory is made with its parents, and one that is there is left alone', async () => {
  const root = await mkdtemp(join(tmpdir(), 'ai-debug-directory-'));
  try {
    const path = join(root, 'a', 'b', 'c');
    expect(await makeDirectory(path)).toBe(join(root, 'a'));
    expect((await stat(path)).isDirectory()).toBe(true);
    expect(await makeDirectory(path)).toBeUndefined();
  } finally {
    await rm(root, { recursive: true });
  }
});

test('several who make the same at once all have it', async () => {
  const root = await mkdtemp(join(tmpdir(), 'ai-debug-directory-'));
  try {
    for (let i = 0; i < 20; i++) {
      const path = join(root, `${i}`, 'b', 'c');
      await Promise.all(Array.from({ length: 8 }, () => makeDirectory(path)));
      expect((await stat(path)).isDirectory()).toBe(true);
    }
  } finally {
    await rm(root, { recursive: true });
  }
});

test('where there can be none, that is said and not tried for ever', async () => {
  await expect(makeDirectory('/dev/null/x/y')).rejects.toThrow(/ENOTDIR/);
  if (process.platform === 'linux') await expect(makeDirectory('/proc/ai-debug/x')).rejects.toThrow(/ENOENT/);
});
