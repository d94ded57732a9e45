import { beforeEach, describe, expect, it } from 'vitest';
import { DebugError } from '../base/errors.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import type { Block } from '../model/block.ts';
import { collect, found, idsOf, type LogSpec, logBlock, NOON, SECOND } from '../test/support/blocks.ts';
import type { BlockReader, BlockSelector, ColdStore, FoundBlock, HotStore, TierName, WarmStore } from './contract.ts';
import { createTiers, type Tiers } from './tiers.ts';

const AWAY = new DebugError('UNAVAILABLE', 'away');

/** A tier with these blocks that can be taken away; only what reading over tiers needs of a store. */
class Tier implements BlockReader {
  readonly tier: TierName;
  held: Block[];
  away = false;
  payloadsAway = false;
  asked: BlockSelector[] = [];
  complete: bigint | null = null;

  constructor(tier: TierName, ...held: Block[]) {
    this.tier = tier;
    this.held = held;
  }

  async *blocks(selector: BlockSelector): AsyncGenerator<FoundBlock> {
    this.asked.push(selector);
    if (this.away) throw AWAY;
    const { start = 0n, end = 2n ** 64n } = selector;
    for (let last = 'g'; ; ) {
      const older = this.held.filter(({ id, timeMin, timeMax }) => id < last && timeMax >= start && timeMin <= end);
      const block = older.toSorted((a, b) => (a.id < b.id ? 1 : -1))[0];
      if (block === undefined) return;
      last = block.id;
      const payload = async () => {
        if (this.payloadsAway) throw AWAY;
        return block.payload;
      };
      yield { ...found(block), payload };
    }
  }

  async version(): Promise<bigint> {
    return 0n;
  }

  async completeSince(): Promise<bigint | null> {
    return this.complete;
  }
}

const block = (second: number) => logBlock([{ time: NOON + BigInt(second) * SECOND, message: `${second}` }]);
const [one, two, three, four] = [block(1), block(2), block(3), block(4)] as const;

let hot: Tier;
let warm: Tier;
let cold: Tier;

beforeEach(() => {
  hot = new Tier('hot', four, three);
  warm = new Tier('warm', four, three, two);
  cold = new Tier('cold', two, one);
});

function open(soleWriter = false): Tiers {
  return createTiers({
    ...{ hot: hot as unknown as HotStore, warm: warm as unknown as WarmStore, cold: cold as unknown as ColdStore },
    ...{ soleWriter, log: createLogger('silent'), meter: createMeter() },
  });
}

async function read(tiers: Tiers, selector: Partial<BlockSelector> = {}) {
  const walk = tiers.blocks({ tenant: 'default', ...selector });
  const blocks = await collect(walk);
  return { seen: blocks.map(({ id, tier }) => [id, tier]), answered: walk.answered() };
}

const ALL = [
  [four.id, 'hot'],
  [three.id, 'hot'],
  [two.id, 'warm'],
  [one.id, 'cold'],
];

describe('blocks over tiers', () => {
  it('come each once, from the fastest tier that has it', async () => {
    expect(await read(open())).toEqual({ seen: ALL, answered: ['hot', 'warm', 'cold'] });
  });

  it('come without hot when that is away', async () => {
    hot.away = true;
    const seen = ALL.map(([id, tier]) => [id, tier === 'hot' ? 'warm' : tier]);
    expect(await read(open())).toEqual({ seen, answered: ['warm', 'cold'] });
    expect(await read(open(true))).toEqual({ seen, answered: ['warm', 'cold'] });
  });

  it('come without the archive when that is away, and say so', async () => {
    cold.away = true;
    expect(await read(open())).toEqual({ seen: ALL.slice(0, 3), answered: ['hot', 'warm'] });
  });

  it('do not come without warm', async () => {
    warm.away = true;
    await expect(read(open())).rejects.toBe(AWAY);
  });

  it('are opened from the next tier when the first has lost them', async () => {
    hot.payloadsAway = true;
    for (const tiers of [open(), open(true)]) {
      hot.complete = 0n;
      const [newest] = await collect(tiers.blocks({ tenant: 'default' }));
      expect(await newest!.payload()).toBe(four.payload);
    }
    warm.payloadsAway = true;
    const [newest] = await collect(open().blocks({ tenant: 'default' }));
    await expect(newest!.payload()).rejects.toBe(AWAY);
  });
});

describe('where all is written here', () => {
  it('leaves warm alone while hot has everything', async () => {
    hot.complete = three.timeMax;
    const tiers = open(true);
    await read(tiers, { start: three.timeMax }); // finds out what is from before
    warm.asked = [];
    cold.asked = [];
    expect(await read(tiers, { start: three.timeMax + 1n })).toEqual({ seen: ALL.slice(0, 1), answered: ['hot'] });
    expect([...warm.asked, ...cold.asked]).toEqual([]);
    expect(await read(tiers)).toEqual({ seen: ALL, answered: ['hot', 'warm', 'cold'] });
  });

  it('asks warm for what hot dropped while it was read', async () => {
    const twin = logBlock([{ time: four.timeMax, message: 'of the same moment' }]);
    const [first, second] = twin.id > four.id ? [twin, four] : [four, twin];
    hot.complete = 0n;
    hot.held = [four, twin, three, two, one];
    warm.held = [four, twin, three, two, one];
    const seen: string[] = [];
    for await (const { id } of open(true).blocks({ tenant: 'default' })) {
      seen.push(id);
      if (id !== first.id) continue;
      hot.held = [one];
      hot.complete = second.timeMax + 1n;
    }
    expect(seen).toEqual([first, second, three, two, one].map(({ id }) => id));
  });

  it('asks warm for what was there before, however new it claims to be', async () => {
    hot.complete = 0n;
    const future = block(1_000_000);
    warm.held.push(future);
    expect((await read(open(true))).seen).toEqual([[future.id, 'warm'], ...ALL]);
  });
});

it('a commit stands when hot is away', async () => {
  const committed: unknown[] = [];
  const flush = { tenant: 'default', blocks: [one] } as unknown as Parameters<WarmStore['commit']>[0];
  const tiers = createTiers({
    hot: { tier: 'hot', put: () => Promise.reject(AWAY) } as unknown as HotStore,
    warm: { tier: 'warm', commit: async (one: unknown) => committed.push(one) } as unknown as WarmStore,
    cold: null,
    log: createLogger('silent'),
    meter: createMeter(),
  });
  await tiers.commit(flush);
  expect(committed).toEqual([flush]);
});

it('an event by its id that lies beside one found lately is found without asking any tier, of its own tenant alone', async () => {
  const [first, second] = [1n, 2n].map((nth) => ({ time: NOON + nth, message: `${nth}` })) as [LogSpec, LogSpec];
  const [firstId, secondId] = idsOf([first, second]) as [string, string];
  hot.held = [logBlock([first, second])];
  const { reader } = open();
  expect((await reader.event('default', firstId))!.event.message).toBe('1');
  hot.asked = [];
  warm.asked = [];
  expect(await reader.event('default', secondId)).toMatchObject({ event: { message: '2' }, tier: 'hot' });
  expect([hot.asked, warm.asked]).toEqual([[], []]);
  // The same records under another tenant would be blocks of the same id.
  hot.held = [];
  expect(await reader.event('another', firstId)).toBeNull();
});
