import { afterEach, expect, test } from 'vitest';
import { createThread, type Thread } from './thread.ts';

let thread: Thread<string, string>;
afterEach(() => thread.end());

function threadOf(answer: string, ready = 'undefined'): Thread<string, string> {
  const serve = new URL('./thread.ts', import.meta.url).href;
  const errors = new URL('./errors.ts', import.meta.url).href;
  const script = `
    import { serveThread } from ${JSON.stringify(serve)};
    import { DebugError } from ${JSON.stringify(errors)};
    import { workerData } from 'node:worker_threads';
    import { setTimeout as sleep } from 'node:timers/promises';
    serveThread(async (question) => { ${answer} }, ${ready});`;
  thread = createThread('the test thread', new URL(`data:text/javascript,${encodeURIComponent(script)}`), 'data');
  return thread;
}

test('questions are answered one after the other, with what the thread was given', async () => {
  const { ask } = threadOf(`
    globalThis.busy = (globalThis.busy ?? 0) + 1;
    await sleep(5);
    const seen = globalThis.busy--;
    return workerData + ' ' + question + ' ' + seen;`);
  expect(await Promise.all([ask('a'), ask('b')])).toEqual(['data a 1', 'data b 1']);
});

test('what is thrown there is thrown here: ours with all that it says, others with their message', async () => {
  const { ask } = threadOf(`
    if (question === 'ours') throw new DebugError('CONFLICT', 'taken', { reason: 'X', retryAfterSeconds: 3 });
    throw Object.assign(new TypeError('a bug'), { uncopied: () => {} });`);
  await expect(ask('ours')).rejects.toMatchObject({
    ...{ name: 'DebugError', code: 'CONFLICT', message: 'taken', reason: 'X', retryAfterSeconds: 3 },
  });
  await expect(ask('other')).rejects.toThrow(/^a bug$/);
});

test('a thread that ends fails the question under way, and the next starts another', async () => {
  const { ask, end } = threadOf(`
    if (question === 'die') process.exit(1);
    if (question === 'throw') setImmediate(() => { throw new Error('nobody caught it'); });
    if (question !== 'alive') await sleep(60_000);
    return question;`);
  const unavailable = { code: 'UNAVAILABLE' };
  await expect(ask('die')).rejects.toMatchObject(unavailable);
  expect(await ask('alive')).toBe('alive');
  await expect(ask('throw')).rejects.toMatchObject(unavailable);
  expect(await ask('alive')).toBe('alive');
  const underWay = expect(ask('long')).rejects.toMatchObject(unavailable);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await end();
  await underWay;
  expect(await ask('alive')).toBe('alive');
});

test('a thread that does not get ready says why, and the next question starts another', async () => {
  const { ask } = threadOf('return question;', `Promise.reject(new DebugError('INVALID', String(Date.now())))`);
  const first = await ask('a').catch((error) => error);
  expect(first).toMatchObject({ code: 'INVALID' });
  const second = await ask('a').catch((error) => error);
  expect(Number(second.message)).toBeGreaterThan(Number(first.message));
});
