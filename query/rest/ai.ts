import { z } from 'zod';
import { BUDGET } from '../budget.ts';
import * as input from './inputs.ts';
import { route } from './route.ts';
import * as view from './views.ts';

export const ask = route({
  method: 'post',
  path: '/ai/query',
  summary: 'A question in words, answered from what is stored; no model is needed.',
  body: z.strictObject({
    question: z.string().min(1).max(4000),
    context: input.jsonObject
      .nullish()
      .describe('What the question leaves out: component, id, operation_id, time_range.'),
    budget_tokens: z
      .number()
      .int()
      .min(1)
      .nullish()
      .describe(`What the answer may cost: ${BUDGET.least} to ${BUDGET.most}, ${BUDGET.usual} where absent.`),
  }),
  data: view.agentAnswer,
  answer: ({ service, tenant, body }) => service.ask(tenant, body),
});
