import { expect, test } from 'vitest';
import { assemble, type Part } from './lifecycle.ts';

function parts(log: string[], failing: { start?: string; stop?: string } = {}): Part[] {
  return ['a', 'b', 'c'].map((name) => ({
    name,
    async start() {
      if (failing.start === name) throw new Error(`${name} cannot start`);
      log.push(`start ${name}`);
    },
    async stop() {
      log.push(`stop ${name}`);
      if (failing.stop === name) throw new Error(`${name} cannot stop`);
    },
  }));
}

test('starts in order, stops in reverse, each once however often it is asked', async () => {
  const log: string[] = [];
  const whole = assemble('whole', parts(log));
  await Promise.all([whole.start(), whole.start()]);
  await Promise.all([whole.stop(), whole.stop()]);
  expect(log).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
});

test('a part that cannot start undoes those before it, and its failure is told', async () => {
  const log: string[] = [];
  await expect(assemble('whole', parts(log, { start: 'c' })).start()).rejects.toThrow('c cannot start');
  expect(log).toEqual(['start a', 'start b', 'stop b', 'stop a']);
});

test('a part that cannot stop keeps no other from stopping', async () => {
  const log: string[] = [];
  const whole = assemble('whole', parts(log, { stop: 'b' }));
  await whole.start();
  await expect(whole.stop()).rejects.toThrow('b cannot stop');
  expect(log.slice(-3)).toEqual(['stop c', 'stop b', 'stop a']);
});

test('F30 a part that does not come to an end keeps no other from stopping, and is named', async () => {
  const log: string[] = [];
  const [a, b, c] = parts(log);
  const whole = assemble('whole', [a!, { ...b!, stop: () => new Promise(() => {}) }, c!], 30);
  await whole.start();
  await expect(whole.stop()).rejects.toThrow('b did not stop in time');
  expect(log.slice(-2)).toEqual(['stop c', 'stop a']);
});
