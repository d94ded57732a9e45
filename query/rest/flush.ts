import { z } from 'zod';
import { route } from './route.ts';
import * as view from './views.ts';

export const flush = route({
  method: 'post',
  path: '/flush',
  summary: 'Waits until everything acknowledged so far can be read: for tests that send and then ask.',
  query: z.strictObject({
    timeout_ms: z.coerce
      .number<string>()
      .int()
      .min(0)
      .max(60_000)
      .default(10_000)
      .describe('How long to wait at most.'),
  }),
  data: view.flushed,
  answer: ({ service, tenant, query }) => service.flush(tenant, query.timeout_ms),
});
