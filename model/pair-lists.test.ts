import { expect, it } from 'vitest';
import { NO_PAIRS, PAIR_WORDS_MAX, PairLists } from './pair-lists.ts';

const listAt = ({ words }: PairLists, at: number) => [...words.subarray(at + 1, at + 1 + words[at]!)];

it('has each list as it was added, however often it grew', () => {
  const lists = new PairLists(0);
  const begins = [3, 0, 2].map((count) => {
    const at = lists.begin();
    for (let pair = 1; pair <= count; pair++) lists.add(pair);
    return at;
  });
  expect(begins.map((at) => listAt(lists, at))).toEqual([[1, 2, 3], [], [1, 2]]);
  expect(listAt(lists, NO_PAIRS)).toEqual([]);
  expect(lists.known).toBe(true);
});

it('takes so many words, and then knows that it does not know all', () => {
  const lists = new PairLists(PAIR_WORDS_MAX - 2);
  const first = lists.begin();
  while (lists.known) lists.add(7);
  expect(lists.words).toHaveLength(PAIR_WORDS_MAX);
  expect(lists.begin()).toBe(NO_PAIRS);
  lists.add(8);
  expect(lists.words[first]).toBe(PAIR_WORDS_MAX - 2);
  expect(listAt(lists, NO_PAIRS)).toEqual([]);
});
