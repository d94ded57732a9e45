import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { QuerySystem } from '../support/query-system.ts';
import { askAll, type Outcome, questionsOf, shareOf } from './ask.ts';
import { startIncidents } from './ask-incidents.ts';

let system: QuerySystem;

beforeAll(async () => {
  system = await startIncidents();
});

afterAll(() => system.stop());

const wrongOf = (outcomes: readonly Outcome[]) =>
  outcomes.filter(({ wrong }) => wrong.length > 0).map(({ question, wrong }) => `${question.ask}: ${wrong.join('; ')}`);

// Hundreds of questions each; some 0.1 s a question where the machine is busy.
describe('questions in words', { timeout: 300_000 }, () => {
  it('are understood and answered, 95 of 100 at least', async () => {
    const outcomes = await askAll(system, questionsOf('ask-questions.jsonl'));
    expect(outcomes.length).toBeGreaterThanOrEqual(150);
    expect(shareOf(outcomes), wrongOf(outcomes).join('\n')).toBeGreaterThanOrEqual(0.95);
  });

  it.each([
    'ask-holdout.jsonl',
    'ask-unseen.jsonl',
    'ask-unseen-2.jsonl',
    'ask-unseen-3.jsonl',
    'ask-unseen-4.jsonl',
    'ask-unseen-6.jsonl',
    'ask-unseen-7.jsonl',
    'ask-unseen-8.jsonl',
    'ask-unseen-9.jsonl',
  ])('of %s too', async (file) => {
    const outcomes = await askAll(system, questionsOf(file));
    expect(outcomes.length).toBeGreaterThanOrEqual(40);
    expect(shareOf(outcomes), wrongOf(outcomes).join('\n')).toBeGreaterThanOrEqual(0.95);
  });

  it('a timeout is named, and how sure that is', async () => {
    const { data } = await system.service.ask('agents', { question: 'Why is workflow-789 failing?' });
    expect(data.answer).toContain('timeout');
    expect(data.confidence).toBeGreaterThanOrEqual(0.8);
    expect(data.evidence!.length).toBeGreaterThan(0);
  });

  it('a message that was pasted, and who is hit, are answered with confidence', async () => {
    for (const question of ['order 7 rejected by bridge: NACK AE', 'which ward is hit by failures'])
      expect((await system.service.ask('clinic', { question })).data.confidence, question).toBeGreaterThan(0.5);
  });

  it('the same question on the same data has the same answer', async () => {
    const question = 'Why is orders failing between 2020-01-01T00:00:00Z and 2030-01-01T00:00:00Z?';
    const { as_of: _, ...first } = (await system.service.ask('shop', { question })).data;
    const { as_of: __, ...second } = (await system.service.ask('shop', { question })).data;
    expect(second).toEqual(first);
  });

  it.each([50, 120, 400, 5000])('keep to a budget of %i tokens', async (budget_tokens) => {
    for (const question of [
      'Is everything healthy?',
      'Why is orders failing?',
      'compare orders and inventory',
      'help',
    ]) {
      const { data } = await system.service.ask('shop', { question, budget_tokens });
      expect(data.receipt.used_tokens ?? 0).toBeLessThanOrEqual(budget_tokens);
      expect(data.answer).not.toBe('');
    }
  });

  it('what is missing from the events is said', async () => {
    const { data } = await system.service.ask('shop', { question: 'why is orders failing?' });
    // The incident was recorded minutes ago and sent just now.
    expect(data.coverage?.join()).toMatch(/late: \d+ of \d+ records looked at came over a minute after their time/);
    expect(data.receipt).toMatchObject({ raw_events: expect.any(Number), raw_tokens: expect.any(Number) });
  });

  it('what was logged is quoted as data', async () => {
    const { data } = await system.service.ask('agents', { question: 'how is agent-123?' });
    expect(data.answer).toMatch(/«[^»]*rate limit exceeded[^»]*»/);
  });

  it('nothing at all is a question back', async () => {
    for (const question of ['?', ' ', '…', '🤷'])
      expect((await system.service.ask('shop', { question })).data).toMatchObject({ clarification_needed: 'question' });
  });
});
