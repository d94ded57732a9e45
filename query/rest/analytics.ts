import { z } from 'zod';
import * as input from './inputs.ts';
import { route } from './route.ts';
import * as view from './views.ts';

const range = z.strictObject(input.rangeQuery);
const component = z.strictObject({ component_type: input.name, component_id: input.name, ...input.rangeBody });

export const componentHealth = route({
  method: 'post',
  path: '/analytics/component-health',
  summary: 'The health of one component over a window.',
  body: component,
  data: view.componentHealth,
  answer: ({ service, tenant, body }) => service.componentHealth(tenant, body),
});

export const performance = route({
  method: 'post',
  path: '/analytics/performance',
  summary: 'The latency of one component over a window.',
  body: component,
  data: view.performance,
  answer: ({ service, tenant, body }) => service.performance(tenant, body),
});

export const systemHealth = route({
  method: 'get',
  path: '/analytics/system-health',
  summary: 'The health of everything, by component type and by component.',
  query: range,
  data: view.systemHealth,
  answer: ({ service, tenant, query }) => service.systemHealth(tenant, query),
});

export const activeOperations = route({
  method: 'get',
  path: '/analytics/active-operations',
  summary: 'What has had an event in the last five minutes, or in the range that is given, by correlation.',
  query: z.strictObject({ ...input.rangeQuery, limit: input.limit }),
  data: z.array(view.activeOperation),
  answer: ({ service, tenant, query }) => service.activeOperations(tenant, query),
});

export const throughput = route({
  method: 'get',
  path: '/analytics/throughput',
  summary: 'Events a minute, by component type.',
  query: range,
  data: view.throughput,
  answer: ({ service, tenant, query }) => service.throughput(tenant, query),
});

export const errorRate = route({
  method: 'get',
  path: '/analytics/error-rate',
  summary: 'Components by the share of errors in their events.',
  query: range,
  data: view.errorRates,
  answer: ({ service, tenant, query }) => service.errorRates(tenant, query),
});

export const errorPatterns = route({
  method: 'get',
  path: '/analytics/error-patterns',
  summary: 'Errors by what they say, the most frequent first.',
  query: z.strictObject({ ...input.rangeQuery, limit: input.limit }),
  data: z.array(view.errorPattern),
  answer: ({ service, tenant, query }) => service.errorPatterns(tenant, query),
});

export const insightsSummary = route({
  method: 'get',
  path: '/analytics/insights-summary',
  summary: 'How many insights there are of each kind.',
  query: range,
  data: view.insightsSummary,
  answer: ({ service, tenant, query }) => service.insightsSummary(tenant, query),
});

export const consistency = route({
  method: 'post',
  path: '/analytics/consistency',
  summary: 'Whether the nodes of an operation report the same state, and where they part.',
  body: z.strictObject({
    operation_id: input.name,
    component_ids: z.array(input.name).min(1).max(1000).nullish(),
    component_type: input.name.nullish(),
  }),
  data: view.insight,
  notFound: ['SNAPSHOT_NOT_FOUND'],
  answer: ({ service, tenant, body }) => service.consistency(tenant, body),
});

const SIDES_MAX = 10;
const sides = <T extends z.ZodType>(side: T) =>
  z.array(side).min(2, 'takes at least two to compare').max(SIDES_MAX).nullish();

export const compare = route({
  method: 'post',
  path: '/analytics/compare',
  summary: 'Components, operations or windows side by side, and what separates them.',
  body: z
    .strictObject({
      components: sides(z.strictObject({ type: input.name, id: input.name })),
      operations: sides(input.name),
      windows: sides(z.strictObject({ start: input.timestamp, end: input.timestamp })),
      component_type: input.name.nullish(),
      component_id: input.name.nullish(),
      ...input.rangeBody,
    })
    .refine(
      ({ components, operations, windows }) =>
        [components, operations, windows].filter((list) => list != null).length === 1,
      'give exactly one of components, operations and windows',
    ),
  data: view.comparison,
  notFound: ['OPERATION_NOT_FOUND'],
  answer: ({ service, tenant, body }) => service.compare(tenant, body),
});

export const rootCause = route({
  method: 'post',
  path: '/analytics/root-cause',
  summary: 'Which component is behind what went wrong in a window, against a time when all was well.',
  body: z.strictObject({
    window: z.strictObject({ start: input.timestamp, end: input.timestamp }),
    baseline: z
      .strictObject({ start: input.timestamp, end: input.timestamp })
      .nullish()
      .describe('When all was well. Absent: the time before the window.'),
    limit: z.number().int().min(1).max(1000).default(20),
  }),
  data: view.rootCause,
  answer: ({ service, tenant, body }) => service.rootCause(tenant, body),
});
