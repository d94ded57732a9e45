import { describe, expect, test } from 'vitest';
import { findNames, nearestNames } from './names.ts';
import { wordsOf } from './words.ts';

const KNOWN = [
  ['service', 'orders'],
  ['service', 'payment-gateway'],
  ['service', 'api-gateway'],
  ['service', 'cartservice'],
  ['service', 'acme.shipping'],
  ['agent', 'agent-123'],
  ['agent', '7'],
  ['workflow', 'workflow-789'],
  ['service', 'search'],
].map(([type, id]) => ({ type: type!, id: id! }));

const namesIn = (question: string) =>
  findNames(wordsOf(question), KNOWN).map(({ refs }) => refs.map(({ type, id }) => `${type}/${id}`).join(' or '));

describe('names as people say them', () => {
  test.each([
    ['is orders ok', ['service/orders']],
    ["orders' health", ['service/orders']],
    ["what is orders's status", ['service/orders']],
    ['the order service', ['service/orders']],
    ['service/orders', ['service/orders']],
    ['ORDERS', ['service/orders']],
    ['ordres', ['service/orders']],
    ['the payment gateway', ['service/payment-gateway']],
    ['gateway of payments', ['service/payment-gateway']],
    ['payments', ['service/payment-gateway']],
    ['paymentgatewy', ['service/payment-gateway']],
    ['the paymnet service', ['service/payment-gateway']],
    ['the gateway', ['service/payment-gateway or service/api-gateway']],
    ['cart', ['service/cartservice']],
    ['cart service', ['service/cartservice']],
    ['shipping', ['service/acme.shipping']],
    ['agent 123', ['agent/agent-123']],
    ['Agent_123?', ['agent/agent-123']],
    ['agent 7', ['agent/7']],
    ['why is workflow 789 failing', ['workflow/workflow-789']],
    ['orders and agent-123', ['service/orders', 'agent/agent-123']],
    ['search', ['service/search']],
  ])('%s', (question, names) => {
    expect(namesIn(question)).toEqual(names);
  });

  test.each(['agent-124', 'workflow-788', 'is everything fine', '7', 'what is slow', 'order 123'])(
    '%s names none of them',
    (question) => {
      expect(namesIn(question).filter((name) => name !== 'service/orders')).toEqual([]);
    },
  );

  test('the nearest names are told of one that nothing goes by', () => {
    expect(nearestNames('agent-124', KNOWN)).toEqual([{ type: 'agent', id: 'agent-123' }]);
    expect(nearestNames('billing', KNOWN)).toEqual([]);
  });
});
