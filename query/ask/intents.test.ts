import { describe, expect, test } from 'vitest';
import { intentOf, wantedOf } from './intents.ts';
import { mendWords, splitIdentifiers, wordsOf } from './words.ts';

const read = (question: string) => {
  const words = wordsOf(question);
  mendWords(words);
  splitIdentifiers(words);
  return words;
};

describe('the form in which an answer is wanted', () => {
  test.each([
    ['how many requests failed', 'count'],
    ['what percentage of requests fails', 'share'],
    ['since when does it fail', 'beginning'],
    ['when did the errors start', 'beginning'],
    ['when was the last error', 'end'],
    ['how long did the outage last', 'duration'],
    ['outage duration?', 'duration'],
    ['is it over', 'over'],
    ['have we recovered?', 'over'],
    ['which service has the most errors', 'who'],
    ['show me one failing trace', 'example'],
    ['when did we last hear from it', 'heard'],
    ['what is not broken', 'well'],
    ['does it work', 'whether'],
    ['restart it', 'act'],
    ['what should I do', 'advice'],
    ['how do we fix this', 'advice'],
    ['any recommendations?', 'advice'],
    ['next steps', 'advice'],
    ['what would you suggest we do about orders', 'advice'],
  ] as const)('%s', (question, form) => {
    expect(wantedOf(read(question))).toContain(form);
  });

  test('several at once, over all sentences', () => {
    const wanted = wantedOf(read('Since when does it fail? And how many times?'));
    expect(wanted).toContain('beginning');
    expect(wanted).toContain('count');
  });

  test.each(['why is everything slow', 'compare both', 'what changed'])('none: %s', (question) => {
    expect([...wantedOf(read(question))]).toEqual([]);
  });
});

describe('what is asked for', () => {
  test.each([
    ['parcels not shipping', 'explain'],
    ['the page does not render', 'explain'],
    ['what is not broken', 'health'],
    ['have errors gone up', 'changes'],
    ['agent list', 'inventory'],
    ['requests/min', 'traffic'],
    ['any anomalies', 'health'],
  ] as const)('%s: %s', (question, intent) => {
    expect(intentOf(read(question)).intent).toBe(intent);
  });
});
