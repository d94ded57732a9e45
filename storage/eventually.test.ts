import { expect, test, vi } from 'vitest';
import { DebugError } from '../base/errors.ts';
import { createLogger } from '../base/log.ts';
import { eventually } from './eventually.ts';

const log = createLogger('silent');

function storeThat(...failures: DebugError[]) {
  const start = vi.fn(async () => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
  });
  return { name: 'store', start, stop: vi.fn(async () => {}) };
}

test('a store that is away is started when it is back', async () => {
  const store = storeThat(new DebugError('UNAVAILABLE', 'away'), new DebugError('UNAVAILABLE', 'away'));
  const part = eventually(store, log);
  await part.start();
  await vi.waitFor(() => expect(store.start).toHaveBeenCalledTimes(3), { timeout: 5000 });
  await part.stop();
  expect(store.stop).toHaveBeenCalledOnce();
});

test('a store that accepts and does not answer keeps nobody from starting, nor from stopping', async () => {
  const answer = Promise.withResolvers<void>();
  const store = { name: 'store', start: vi.fn(() => answer.promise), stop: vi.fn(async () => {}) };
  const part = eventually(store, log, 20);
  await part.start();
  await part.stop();
  expect(store.stop).toHaveBeenCalledOnce();
  answer.resolve();
  expect(store.start).toHaveBeenCalledOnce();
});

test('a setting that is wrong fails the start', async () => {
  const wrong = new DebugError('INVALID', 'DEBUG_PG_URL');
  await expect(eventually(storeThat(wrong), log).start()).rejects.toBe(wrong);
});

test('stopping ends the waiting', async () => {
  const store = storeThat(...Array.from({ length: 100 }, () => new DebugError('UNAVAILABLE', 'away')));
  const part = eventually(store, log);
  await part.start();
  await part.stop();
  const { length } = store.start.mock.calls;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(store.start).toHaveBeenCalledTimes(length);
});
