import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { expect, it, vi } from 'vitest';
import { type Batch, Batcher } from './batcher.ts';

interface Said {
  resource: Resource;
  text: string;
}

const resource = resourceFromAttributes({});

it('lets a request go when it is full, each in a turn of its own, and what is left after the wait', async () => {
  const { batcher, left } = batcherOf({ size: 2, waitMs: 5 });
  for (const text of ['a', 'b', 'c', 'd', 'e']) batcher.add({ resource, text });
  expect(left).toEqual([]);
  await vi.waitFor(() => expect(left).toEqual(['ab', 'cd', 'e']));
});

it('hands over once what waits', () => {
  const { batcher, left } = batcherOf({ size: 2, waitMs: 5 });
  for (const text of ['a', 'b', 'c']) batcher.add({ resource, text });
  expect(batcher.take().map(textOf)).toEqual(['ab', 'c']);
  expect(batcher.take()).toEqual([]);
  batcher.flush();
  expect(left).toEqual([]);
});

it('says what cannot be written down, and sends the rest', () => {
  const { batcher, failed } = batcherOf({ size: 9, waitMs: 5 });
  for (const text of ['a', 'unwritable', 'b']) batcher.add({ resource, text });
  expect(batcher.take().map(textOf)).toEqual(['ab']);
  expect(failed).toEqual(['unwritable']);
});

it('waits for detectors that still ask, in order, and at the end does not', async () => {
  let resolve!: (zone: string) => void;
  const asking = resourceFromAttributes({ zone: new Promise<string>((done) => (resolve = done)) });
  const { batcher, left } = batcherOf({ size: 9, waitMs: 1 });
  batcher.add({ resource: asking, text: 'a' });
  batcher.add({ resource: asking, text: 'b' });
  await new Promise((done) => setTimeout(done, 10));
  expect(left).toEqual([]);
  resolve('z');
  await vi.waitFor(() => expect(left).toEqual(['ab']));

  const never = resourceFromAttributes({ zone: new Promise<string>(() => {}) });
  batcher.add({ resource: never, text: 'c' });
  expect(batcher.take().map(textOf)).toEqual(['c']);
});

function batcherOf(limits: { size: number; waitMs: number }) {
  const left: string[] = [];
  const failed: string[] = [];
  const batcher = new Batcher<Said>(
    limits,
    texts(),
    (request) => left.push(textOf(request)),
    ({ message }) => failed.push(message),
  );
  return { batcher, left, failed };
}

function texts(): Batch<Said> {
  let written = '';
  return {
    add({ text }) {
      if (text === 'unwritable') throw new Error(text);
      written += text;
    },
    finish() {
      const request = Buffer.from(written);
      written = '';
      return request;
    },
  };
}

function textOf(request: Uint8Array): string {
  return Buffer.from(request).toString();
}
