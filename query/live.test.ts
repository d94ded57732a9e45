import { describe, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import type { FeedMessage } from '../storage/contract.ts';
import { type LogSpec, logBlock, NOON } from '../test/support/blocks.ts';
import { createLive, type LiveNeeds, type Subscription } from './live.ts';

/** A hub over a feed that says what it is told. */
async function startHub(rows: Partial<LiveNeeds['rows']> = {}) {
  let listener: (message: FeedMessage) => void = () => {};
  const meter = createMeter();
  const live = createLive({
    feed: {
      subscribe: (given) => {
        listener = given;
        return () => {
          listener = () => {};
        };
      },
    },
    rows: { traceCorrelations: async () => [], snapshots: async () => [], ...rows },
    clock: systemClock(),
    log: createLogger('silent'),
    meter,
    pause: () => () => undefined,
  });
  await live.start();
  let time = NOON;
  return {
    live,
    publish(...logs: Partial<LogSpec>[]) {
      const { index, payload } = logBlock(logs.map((log) => ({ time: time++, ...log })));
      listener({ kind: 'block', tenant: 't', index, payload });
    },
    /** The same block again and again. */
    repeat(times: number, log: Partial<LogSpec> = {}) {
      const { index, payload } = logBlock([{ time: NOON, ...log }]);
      for (let i = 0; i < times; i++) listener({ kind: 'block', tenant: 't', index, payload });
    },
    publishBroken: () => listener({ kind: 'block', tenant: 't', index: new Uint8Array(9), payload: new Uint8Array(9) }),
    failures: async () => Number(/live_failures_total\{.*\} (\d+)/.exec(await meter.registry.metrics())?.[1] ?? 0),
    /** A reader that writes down what it gets: messages as `text @channel`, gaps as `gap n`. */
    read(more: Partial<Subscription> = {}) {
      const got: string[] = [];
      const cursors: string[] = [];
      const leave = live.subscribe({
        tenant: 't',
        channel: { kind: 'all' },
        filter: {},
        deliver: (message) => {
          const { data, cursor } = JSON.parse(message.text('debug:all'));
          got.push(data.message);
          cursors.push(cursor);
        },
        gap: (dropped) => got.push(`gap ${dropped}`),
        ...more,
      });
      return { got, cursors, leave };
    },
    /** Resolves when everything that was published before has been shown: the queue is stopped and waited for. */
    settle: () => live.stop(),
  };
}

describe('the hub', () => {
  test('opens nothing while nobody listens', async () => {
    const hub = await startHub();
    hub.publishBroken();
    await hub.settle();
    expect(await hub.failures()).toBe(0);
  });

  test('goes on after a message that it cannot show', async () => {
    const hub = await startHub();
    const { got } = hub.read();
    hub.publishBroken();
    hub.publish({ message: 'after' });
    await new Promise(setImmediate);
    await hub.settle();
    expect(got).toEqual(['gap null', 'after']);
    expect(await hub.failures()).toBe(1);
  });

  test('keeps tenants apart', async () => {
    const hub = await startHub();
    const other = hub.read({ tenant: 'other' });
    const mine = hub.read();
    hub.publish({ message: 'secret' });
    await new Promise(setImmediate);
    await hub.settle();
    expect([mine.got, other.got]).toEqual([['secret'], []]);
  });

  test('delivers nothing to a reader that has left', async () => {
    const hub = await startHub();
    const { got, leave } = hub.read();
    hub.publish({ message: 'a' });
    leave();
    await new Promise(setImmediate);
    await hub.settle();
    expect(got).toEqual([]);
  });

  test('asks once for the correlation of a trace', async () => {
    const asked: unknown[] = [];
    const trace = '1'.repeat(32);
    const hub = await startHub({
      traceCorrelations: async (_tenant, about) => {
        asked.push(about.traces);
        return [{ trace_id: trace, correlation_id: 'order-1', time: 0n }];
      },
    });
    const { got } = hub.read({ channel: { kind: 'correlation', id: 'order-1' } });
    hub.publish({ message: 'one', trace }, { message: 'not mine' });
    hub.publish({ message: 'two', trace });
    await new Promise(setImmediate);
    await hub.settle();
    expect(got).toEqual(['one', 'two']);
    expect(asked).toEqual([[trace]]);
  });

  test('shows records also when the store cannot say what they belong to', async () => {
    const hub = await startHub({ traceCorrelations: () => Promise.reject(new Error('away')) });
    const { got } = hub.read();
    hub.publish({ message: 'still here', trace: '1'.repeat(32) });
    await new Promise(setImmediate);
    await hub.settle();
    expect(got).toEqual(['still here']);
  });

  test('tells readers of a gap when showing falls behind', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slowly = async () => {
      await held;
      await new Promise(setImmediate);
      return [];
    };
    const hub = await startHub({ traceCorrelations: slowly });
    const { got } = hub.read();
    const flood = () => {
      hub.publish({ message: 'first', trace: '1'.repeat(32) });
      hub.repeat(299, { message: 'next', trace: '1'.repeat(32) });
    };
    const queued = ['first', ...Array(255).fill('next')];
    flood();
    release();
    while (got.length < 100) await new Promise(setImmediate);
    hub.publish({ message: 'while there is room again' });
    while (got.length < 258) await new Promise(setImmediate);
    expect(got).toEqual([...queued, 'gap null', 'while there is room again']);

    got.length = 0;
    flood();
    while (got.at(-1) !== 'gap null') await new Promise(setImmediate);
    expect(got).toEqual([...queued, 'gap null']);
    hub.publish({ message: 'later' });
    while (got.at(-1) !== 'later') await new Promise(setImmediate);
    await hub.settle();
  });
});

describe('a reader that resumes', () => {
  test('gets the rest of the block that it was in, and what came after', async () => {
    const hub = await startHub();
    const first = hub.read();
    hub.publish({ message: 'a' }, { message: 'b' }, { message: 'c' });
    hub.publish({ message: 'd' });
    while (first.got.length < 4) await new Promise(setImmediate);
    first.leave();
    const second = hub.read({ since: first.cursors[0] });
    const third = hub.read({ since: first.cursors[3] });
    hub.publish({ message: 'e' });
    while (second.got.length < 4 || third.got.length < 1) await new Promise(setImmediate);
    expect(second.got).toEqual(['b', 'c', 'd', 'e']);
    expect(third.got).toEqual(['e']);
    await hub.settle();
  });

  test('too late, is told so and gets what comes', async () => {
    const hub = await startHub();
    const first = hub.read();
    hub.publish({ message: 'a' });
    while (first.got.length < 1) await new Promise(setImmediate);
    first.leave();
    // More than the ring keeps.
    hub.repeat(10_001);
    const second = hub.read({ since: first.cursors[0] });
    while (second.got.length < 1) await new Promise(setImmediate);
    hub.publish({ message: 'now' });
    while (second.got.length < 2) await new Promise(setImmediate);
    expect(second.got).toEqual(['gap null', 'now']);
    await hub.settle();
  });
});
