import { expect, test } from 'vitest';
import { type Channel, ChannelIndex, parseChannel } from './live-channels.ts';

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

test('readers are found by tenant and channel, and leave no trace', () => {
  const index = new ChannelIndex<{ tenant: string; channel: Channel; name: string }>();
  const reader = (name: string, tenant = 't') => ({ tenant, channel: parseChannel(name)!, name });
  const readers = [reader('debug:all'), reader('debug:a'), reader('debug:correlation:c'), reader('debug:all', 'other')];
  for (const each of readers) index.add(each);
  const names = (found: Iterable<{ name: string }> | undefined) => [...(found ?? [])].map(({ name }) => name);
  expect(names(index.channels('t')?.all)).toEqual(['debug:all']);
  expect(names(index.channels('t')?.component.get('a'))).toEqual(['debug:a']);
  expect(names(index.channels('t')?.correlation.get('c'))).toEqual(['debug:correlation:c']);
  expect(index.channels('nobody')).toBeUndefined();
  expect(names(index.all())).toHaveLength(4);

  for (const each of readers.slice(0, 3)) index.delete(each);
  index.delete(readers[0]!);
  expect(index.size).toBe(1);
  expect(index.channels('t')).toBeUndefined();
  expect(names(index.channels('other')?.all)).toEqual(['debug:all']);
});
