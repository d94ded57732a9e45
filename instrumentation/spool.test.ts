import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ownerOf, type Parcel, Spool } from './spool.ts';

let directory: string;
let dropped: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ai-debug-spool-test-'));
  dropped = [];
});

afterEach(() => rm(directory, { recursive: true, force: true }));

it('gives back what it kept, oldest first, until it is removed, and leaves nothing on the disk then', async () => {
  const spool = spoolOf();
  const first = await spool.keep(parcel('a'));
  const second = await spool.keep(parcel('b', 'logs'));
  expect(await spool.oldest()).toMatchObject({ name: first, signal: 'traces', format: 'protobuf' });
  await spool.remove(first);
  const oldest = await spool.oldest();
  expect(oldest).toMatchObject({ name: second, signal: 'logs' });
  expect(Buffer.from(oldest!.body).toString()).toBe('b');
  await spool.remove(second);
  expect(await spool.oldest()).toBeUndefined();
  expect(await readdir(directory)).toEqual([]);
});

it('creates nothing before there is something to keep', async () => {
  await spoolOf().adopt();
  expect(await readdir(directory)).toEqual([]);
});

it('lets the oldest go when it is full, and says so', async () => {
  const spool = spoolOf({ bytesMax: 10 });
  for (const text of ['aaaa', 'bbbb', 'cccc']) await spool.keep(parcel(text));
  expect(Buffer.from((await spool.oldest())!.body).toString()).toBe('bbbb');
  expect(dropped).toHaveLength(1);
  await expect(spool.keep(parcel('larger than all of it'))).rejects.toThrow('larger');
});

it('adopts what a dead process has left, in its order, and not what a living one keeps', async () => {
  const dead = spoolOf({ owner: ownerOf(2 ** 22 + 1, 'dead', 0) });
  await dead.keep(parcel('a'));
  dead.keepSync(parcel('b', 'logs'));
  const living = spoolOf({ owner: ownerOf(process.ppid, 'living', 0) });
  await living.keep(parcel('theirs'));

  const spool = spoolOf();
  expect(await spool.adopt()).toBe(true);
  const texts: string[] = [];
  for (let kept = await spool.oldest(); kept; kept = await spool.oldest()) {
    texts.push(Buffer.from(kept.body).toString());
    await spool.remove(kept.name);
  }
  expect(texts).toEqual(['a', 'b']);
  expect(Buffer.from((await living.oldest())!.body).toString()).toBe('theirs');
});

it('takes the same process id of an earlier run for dead, and another thread of this one for living', async () => {
  await spoolOf({ owner: ownerOf(process.pid, 'earlier', 0) }).keep(parcel('a'));
  await spoolOf({ owner: ownerOf(process.pid, 'this', 1) }).keep(parcel('b'));
  const spool = spoolOf();
  await spool.adopt();
  expect(Buffer.from((await spool.oldest())!.body).toString()).toBe('a');
  await spool.remove((await spool.oldest())!.name);
  expect(await spool.oldest()).toBeUndefined();
});

it('leaves the folder of another host alone while it is fresh', async () => {
  await spoolOf({ owner: `not-${hostname()}_1_x_0` }).keep(parcel('theirs'));
  expect(await spoolOf().adopt()).toBe(false);
});

it('goes on when somebody empties its folder', async () => {
  const spool = spoolOf();
  await spool.keep(parcel('a'));
  for (const folder of await readdir(directory)) await rm(join(directory, folder), { recursive: true });
  expect(await spool.oldest()).toBeUndefined();
  expect(dropped).toHaveLength(1);
});

it('keeps on when somebody takes its folder away', async () => {
  const spool = spoolOf();
  await spool.keep(parcel('a'));
  for (const folder of await readdir(directory)) await rm(join(directory, folder), { recursive: true });
  await spool.keep(parcel('b'));
  expect(Buffer.from((await spool.oldest())!.body).toString()).toBe('b');
});

it('keeps what comes while it leaves its empty folder', async () => {
  const spool = spoolOf();
  let last = await spool.keep(parcel('0'));
  for (let i = 1; i <= 300; i++) {
    const removed = spool.remove(last);
    for (let turn = 0; turn < i % 6; turn++) await setImmediate();
    last = await spool.keep(parcel(`${i}`));
    await removed;
    expect(Buffer.from((await spool.oldest())!.body).toString()).toBe(`${i}`);
  }
  expect(dropped).toEqual([]);
});

function spoolOf({ bytesMax = 1 << 20, owner = ownerOf(process.pid, 'this', 0) } = {}): Spool {
  return new Spool({ directory, bytesMax, owner, dropped: (_, reason) => dropped.push(reason) });
}

function parcel(text: string, signal: Parcel['signal'] = 'traces'): Parcel {
  return { signal, format: 'protobuf', body: Buffer.from(text) };
}
