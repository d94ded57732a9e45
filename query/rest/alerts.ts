import { z } from 'zod';
import * as input from './inputs.ts';
import { route } from './route.ts';
import * as view from './views.ts';

export const listAlerts = route({
  method: 'get',
  path: '/alerts',
  summary:
    'What to look at now: grave insights that are open, of the last 24 hours, the same on several components as one.',
  query: z.strictObject({
    severity: z.enum(['warning', 'critical']).optional(),
    ...input.rangeQuery,
    limit: input.limit,
  }),
  data: z.array(view.alert),
  answer: ({ service, tenant, query }) => service.alerts(tenant, query),
});
