/**
 * Who of a channel's readers may want a record. A thousand readers hold thousands of records a second against their filters: readers who ask
 * for the same are one group, grouped once for as long as they stay; a group whose levels and types do not occur in a block is not looked at
 * for it; which groups a kind of record may concern is found once for each kind in a block; and whoever looks for a text is not looked at
 * before it stands there: with 200 texts among 1,000 readers a record costs 30 µs of the processor where regrouping for each block took 37
 * (live-hub.ts, a busy machine, one after the other).
 */
import type { BlockIndex } from '../model/block.ts';
import { EVENT_TYPES } from '../model/event.ts';
import { type BlockTest, type CompiledFilter, type Present, presentAt } from './live-filter.ts';

/** Readers of one channel by what they ask for. */
export interface Audience<R> {
  textless: readonly Asking<R>[];
  /** By the text that a message must hold. */
  byText: ReadonlyMap<string, readonly Asking<R>[]>;
}

interface Asking<R> {
  filter: CompiledFilter;
  readers: readonly R[];
}

export interface Group<R> extends Asking<R> {
  /** Of the block that is looked at. */
  test: BlockTest;
}

export interface BlockMatcher<R> {
  /** Whether anybody may want the record, as far as its columns say. */
  mayWant(position: number): boolean;
  /** Whether anybody wants it for a text. */
  looksForTexts(position: number): boolean;
  /** @param said the texts that stand in its message; needed where they are looked for */
  wanting(position: number, said: ReadonlySet<string> | undefined): Iterable<Group<R>>;
}

export function createAudience<R extends { filter: CompiledFilter }>(readers: Iterable<R>): Audience<R> {
  const asking = [...Map.groupBy(readers, ({ filter }) => filter)].map(([filter, readers]) => ({ filter, readers }));
  return {
    textless: asking.filter(({ filter }) => filter.text === undefined),
    byText: Map.groupBy(
      asking.filter(({ filter }) => filter.text !== undefined),
      ({ filter }) => filter.text!,
    ),
  };
}

/** What occurs in a block. */
export function presentIn(index: BlockIndex): Present {
  const all = { levels: 0, types: 0 };
  for (let i = 0; i < index.count; i++) {
    const { levels, types } = presentAt(index, i);
    all.levels |= levels;
    all.types |= types;
  }
  return all;
}

/** @returns null when nobody wants anything of the block */
export function matcherOf<R>(audience: Audience<R>, index: BlockIndex, present: Present): BlockMatcher<R> | null {
  const wanting = audience.textless
    .filter(({ filter }) => filter.wants(present))
    .flatMap((asking): Group<R>[] => {
      const test = asking.filter.block(index);
      return test === null ? [] : [{ ...asking, test }];
    });
  const texts = [...audience.byText.values()].flat().filter(({ filter }) => filter.wants(present));
  if (wanting.length === 0 && texts.length === 0) return null;

  const { component, severity, type } = index.columns;
  const ofEvery = wanting.filter(({ test }) => test.everyComponent);
  const ofSome = wanting.filter(({ test }) => !test.everyComponent);
  /** By severity and type, and by component too where that makes a difference. */
  const blind = new Map<number, Group<R>[]>();
  const byKind = new Map<number, Group<R>[]>();
  const textLooks = new Map<number, boolean>();
  /** Those whose text was found somewhere in the block; null: it wants nothing of it. */
  const found = new Map<Asking<R>, Group<R> | null>();
  const lookOf = (i: number) => severity[i]! * TYPES + type[i]!;

  function textlessAt(i: number): Group<R>[] {
    const look = lookOf(i);
    const kind = ofSome.length === 0 ? look : component[i]! * 256 * TYPES + look;
    let groups = byKind.get(kind);
    if (groups === undefined) {
      const every = blind.get(look) ?? ofEvery.filter(({ test }) => test.kind(i));
      blind.set(look, every);
      groups = ofSome.length === 0 ? every : [...every, ...ofSome.filter(({ test }) => test.kind(i))];
      byKind.set(kind, groups);
    }
    return groups;
  }

  function looksForTexts(i: number): boolean {
    if (texts.length === 0) return false;
    const look = lookOf(i);
    let looks = textLooks.get(look);
    if (looks === undefined) {
      const at = presentAt(index, i);
      looks = texts.some(({ filter }) => filter.wants(at));
      textLooks.set(look, looks);
    }
    return looks;
  }

  return {
    mayWant: (i) => textlessAt(i).length > 0 || looksForTexts(i),
    looksForTexts,
    wanting(i, said) {
      const textless = textlessAt(i);
      if (said === undefined || said.size === 0) return textless;
      const groups = [...textless];
      for (const text of said)
        for (const asking of audience.byText.get(text) ?? []) {
          let group = found.get(asking);
          if (group === undefined) {
            const test = asking.filter.block(index);
            group = test === null ? null : { ...asking, test };
            found.set(asking, group);
          }
          if (group?.test.kind(i)) groups.push(group);
        }
      return groups;
    },
  };
}

const TYPES = EVENT_TYPES.length;
