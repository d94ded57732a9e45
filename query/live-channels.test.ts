import { expect, test } from 'vitest';
import { ChannelIndex, parseChannel } from './live-channels.ts';

test.each([
  ['debug:all', { kind: 'all' }],
  ['debug:agent-123', { kind: 'component', id: 'agent-123' }],
  ['debug:a:b', { kind: 'component', id: 'a:b' }],
  ['debug:correlation:order:7', { kind: 'correlation', id: 'order:7' }],
  ['debug:', null],
  ['debug:correlation:', null],
  ['agent-123', null],
  [`debug:${'x'.repeat(600)}`, null],
])('%s', (name, channel) => {
  expect(parseChannel(name)).toEqual(channel);
});

test('a record goes to the readers of its channels, of its tenant, each once', () => {
  const index = new ChannelIndex<{
    tenant: string;
    channel: NonNullable<ReturnType<typeof parseChannel>>;
    name: string;
  }>();
  const reader = (name: string, tenant = 't') => ({ tenant, channel: parseChannel(name)!, name: `${tenant} ${name}` });
  const readers = [
    reader('debug:all'),
    reader('debug:a'),
    reader('debug:b'),
    reader('debug:correlation:c'),
    reader('debug:all', 'other'),
    reader('debug:a', 'other'),
  ];
  for (const each of readers) index.add(each);
  const names = (components: string[], correlations: (string | undefined)[]) =>
    [...index.matching('t', components, correlations)].map(({ name }) => name);
  expect(names(['a'], [])).toEqual(['t debug:all', 't debug:a']);
  expect(names(['a', 'a', 'b'], ['c', 'c', undefined])).toEqual([
    't debug:all',
    't debug:a',
    't debug:b',
    't debug:correlation:c',
  ]);
  expect(index.mayWant('nobody', { components: [{ type: 'x', id: 'a' }] })).toBe(false);

  for (const each of readers.slice(0, 4)) index.delete(each);
  index.delete(readers[0]!);
  expect(index.size).toBe(2);
  expect(names(['a'], ['c'])).toEqual([]);
  expect(index.mayWant('t', { components: [{ type: 'x', id: 'a' }] })).toBe(false);
  expect(index.mayWant('other', { components: [] })).toBe(true);
});

test('who follows one component is not asked about blocks without it', () => {
  const index = new ChannelIndex<{ tenant: string; channel: { kind: 'component'; id: string } }>();
  index.add({ tenant: 't', channel: { kind: 'component', id: 'a' } });
  expect(index.mayWant('t', { components: [{ type: 'service', id: 'b' }] })).toBe(false);
  expect(index.mayWant('t', { components: [{ type: 'service', id: 'a' }] })).toBe(true);
});
