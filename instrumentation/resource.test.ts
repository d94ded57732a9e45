import { expect, test, vi } from 'vitest';
import { say } from './diagnostics.ts';
import { describedBy } from './resource.ts';

vi.mock('./diagnostics.ts', () => ({ say: vi.fn() }));

test('The detectors that are named describe the process', () => {
  const keys = Object.keys(describedBy(['os', 'process']).attributes);

  expect(keys).toContain('os.type');
  expect(keys).toContain('process.pid');
  expect(keys).not.toContain('service.instance.id');
});

test('`all` are all of them, `none` is none', () => {
  expect(Object.keys(describedBy(['all']).attributes)).toEqual(
    expect.arrayContaining(['os.type', 'process.pid', 'service.instance.id', 'host.name']),
  );
  expect(describedBy(['none']).attributes).toEqual({});
});

test('A detector that nobody knows is said and left out', () => {
  expect(describedBy(['toString', 'os']).attributes).toHaveProperty('os.type');
  expect(say).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('"toString"'));
});
