import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, it, vi } from 'vitest';
import { Courier } from './courier.ts';
import type { Parcel } from './spool.ts';
import type { Outcome } from './transport.ts';

const DELIVERED: Outcome = { kind: 'delivered' };
const AWAY: Outcome = { kind: 'retry', reason: 'nobody there', afterMs: 10 };

let kept: ({ name: string } & Parcel)[];
let delivered: string[];
let said: string[];
let outcome: () => Promise<Outcome>;

beforeEach(() => {
  kept = [];
  delivered = [];
  said = [];
  outcome = async () => DELIVERED;
});

it('delivers at once, and touches no disk for it', async () => {
  courier().send(parcel('a'));
  await vi.waitFor(() => expect(delivered).toEqual(['a']));
  expect(kept).toEqual([]);
  expect(said).toEqual([]);
});

it('keeps what the receiver does not take, and delivers it in order when it is back', async () => {
  const sending = courier();
  outcome = async () => AWAY;
  for (const text of ['a', 'b', 'c']) sending.send(parcel(text));
  await vi.waitFor(() => expect(kept).toHaveLength(3));
  sending.send(parcel('d'));
  await vi.waitFor(() => expect(kept).toHaveLength(4));
  outcome = async () => DELIVERED;
  await vi.waitFor(() => expect(delivered).toEqual(['a', 'b', 'c', 'd']), 5000);
  await vi.waitFor(() => expect(kept).toEqual([]));
  expect(said).toEqual(['away', 'back']);
});

it('does not send again what the receiver refuses, and says so', async () => {
  outcome = async () => ({ kind: 'refused', reason: 'HTTP 400' });
  courier().send(parcel('a'));
  await vi.waitFor(() => expect(said).toEqual(['refused']));
  expect(kept).toEqual([]);
});

it('hands over what has no answer yet to a process that ends', () => {
  outcome = () => new Promise(() => {});
  const sending = courier();
  sending.send(parcel('a'));
  expect(sending.takePending().map(({ body }) => String(body))).toEqual(['a']);
  expect(sending.takePending()).toEqual([]);
});

it('puts a request that waits for its answer on the disk after a second', async () => {
  let answer: (outcome: Outcome) => void = () => {};
  outcome = () => new Promise((resolve) => (answer = resolve));
  const sending = courier();
  sending.send(parcel('a'));
  await vi.waitFor(() => expect(kept).toHaveLength(1), 5000);
  expect(sending.takePending()).toEqual([]);
  answer(DELIVERED);
  await vi.waitFor(() => expect(kept).toEqual([]));
});

it('says that telemetry is lost where the disk does not take it either', async () => {
  outcome = async () => AWAY;
  const failing = courier({ keep: () => Promise.reject(new Error('no space')) });
  failing.send(parcel('a'));
  await vi.waitFor(() => expect(said).toContain('dropped'));
  outcome = async () => DELIVERED;
  await sleep(50);
  failing.send(parcel('b'));
  await vi.waitFor(() => expect(delivered).toEqual(['b']));
});

it('delivers what the disk has only taken when the receiver was back already', async () => {
  let written: () => void = () => {};
  const slow = courier({
    async keep(parcel) {
      if (String(parcel.body) === 'b') await new Promise<void>((resolve) => (written = resolve));
      const name = String(parcel.body);
      kept.push({ name, ...parcel });
      return name;
    },
  });
  outcome = async () => AWAY;
  slow.send(parcel('a'));
  await vi.waitFor(() => expect(said).toEqual(['away']));
  slow.send(parcel('b'));
  outcome = async () => DELIVERED;
  await vi.waitFor(() => expect(said).toEqual(['away', 'back']));
  expect(delivered).toEqual(['a']);
  written();
  await vi.waitFor(() => expect(delivered).toEqual(['a', 'b']));
  expect(kept).toEqual([]);
});

function courier(disk: { keep?: (parcel: Parcel) => Promise<string> } = {}): Courier {
  let sequence = 0;
  return new Courier({
    transports: {
      async traces({ body }) {
        const became = await outcome();
        if (became.kind === 'delivered') delivered.push(String(body));
        return became;
      },
    },
    spool: {
      get empty() {
        return kept.length === 0;
      },
      async keep(parcel) {
        const name = `${sequence++}`;
        kept.push({ name, ...parcel });
        return name;
      },
      oldest: async () => kept[0],
      async remove(name) {
        kept = kept.filter((parcel) => parcel.name !== name);
      },
      adopt: async () => false,
      ...disk,
    },
    say: ({ kind }) => said.push(kind),
  });
}

function parcel(text: string): Parcel {
  return { signal: 'traces', format: 'protobuf', body: Buffer.from(text) };
}
