import { EventEmitter } from 'node:events';
import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { emitWithin } from './emit-within.ts';

const NAME = createContextKey('name');
const named = (name: string) => ROOT_CONTEXT.setValue(NAME, name);

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

const heard: unknown[] = [];
beforeEach(() => void heard.splice(0));
const hear = (...args: unknown[]) => void heard.push([context.active().getValue(NAME), ...args]);
const tell = (event: string | symbol, ...args: unknown[]) => void heard.push([event, ...args]);

it('runs listeners within the context, those of before and of later, and tells of every event first', () => {
  const emitter = new EventEmitter().on('data', hear);
  emitWithin(emitter, named('a'), tell);
  emitter.on('data', hear);
  expect(emitter.emit('data', 1, 2)).toBe(true);
  expect(emitter.emit('unheard')).toBe(false);
  expect(heard).toEqual([['data', 1, 2], ['a', 1, 2], ['a', 1, 2], ['unheard']]);
});

it('tells two emitters apart', () => {
  const [one, other] = [new EventEmitter().on('x', hear), new EventEmitter().on('x', hear)];
  emitWithin(one, named('one'));
  emitWithin(other, named('other'));
  one.emit('x');
  other.emit('x');
  expect(heard).toEqual([['one'], ['other']]);
});

it('lends its emit to another emitter', () => {
  const [one, other] = [new EventEmitter(), new EventEmitter().on('x', hear)];
  emitWithin(one, named('one'), tell);
  other.emit = one.emit;
  expect(other.emit('x', 1)).toBe(true);
  expect(heard).toEqual([[undefined, 1]]);
});

it('throws an error that nobody hears, as Node does', () => {
  const emitter = new EventEmitter();
  emitWithin(emitter, named('a'));
  expect(() => emitter.emit('error', new RangeError('mine'))).toThrow(RangeError);
});

it("keeps the emit of a class of the app's, and one that is shadowed already: the context of the first is the inner one", () => {
  class Loud extends EventEmitter {
    override emit(event: string | symbol, ...args: unknown[]): boolean {
      return super.emit(event, ...args, 'loud');
    }
  }
  const emitter = new Loud().on('x', hear);
  emitWithin(emitter, named('a'), tell);
  emitter.emit('x');
  expect(heard.splice(0)).toEqual([['x'], ['a', 'loud']]);

  const twice = new EventEmitter().on('x', hear);
  emitWithin(twice, named('first'), tell);
  emitWithin(twice, named('second'), tell);
  twice.emit('x');
  expect(heard).toEqual([['x'], ['x'], ['first']]);
});
