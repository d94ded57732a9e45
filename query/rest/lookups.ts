import { z } from 'zod';
import * as input from './inputs.ts';
import { route } from './route.ts';
import * as view from './views.ts';

export const getCorrelation = route({
  method: 'get',
  path: '/correlations/{id}',
  summary: 'What happened under a correlation id, the oldest event first.',
  query: z.strictObject({ limit: input.limit, cursor: input.cursor.optional() }),
  data: view.correlation,
  notFound: ['CORRELATION_NOT_FOUND'],
  answer: ({ service, tenant, params, query }) => service.correlation(tenant, params.id!, query),
});

export const getTrace = route({
  method: 'get',
  path: '/traces/{trace_id}',
  summary: 'A trace as a tree of spans, with self time and critical path.',
  data: view.trace,
  notFound: ['TRACE_NOT_FOUND'],
  tagged: true,
  answer: ({ service, tenant, params }) => service.trace(tenant, params.trace_id!),
});

export const getProgress = route({
  method: 'get',
  path: '/operations/{operation_id}/progress',
  summary: 'How far an operation has come.',
  data: view.progress,
  notFound: ['OPERATION_NOT_FOUND'],
  answer: ({ service, tenant, params }) => service.progress(tenant, params.operation_id!),
});

export const listTemplates = route({
  method: 'get',
  path: '/templates',
  summary: 'Log patterns, the most frequent first.',
  query: z.strictObject({ ...input.rangeQuery, limit: input.limit }),
  data: z.array(view.template),
  tagged: true,
  answer: ({ service, tenant, query }) => service.templates(tenant, query),
});

export const listMetrics = route({
  method: 'get',
  path: '/metrics',
  summary: 'Metric points as series, those with the newest point first.',
  query: z.strictObject({
    metric_name: input.name.optional(),
    component_type: input.name.optional(),
    component_id: input.name.optional(),
    ...input.rangeQuery,
    limit: input.limit,
  }),
  data: z.array(view.metricSeries),
  answer: ({ service, tenant, query }) => service.metrics(tenant, query),
});

export const listVersions = route({
  method: 'get',
  path: '/versions',
  summary:
    'Which versions of which components spoke in a window (the last hour by default), and since when, the newest first.',
  query: z.strictObject({
    component_type: input.name.optional(),
    component_id: input.name.optional(),
    ...input.rangeQuery,
  }),
  data: z.array(view.componentVersion),
  answer: ({ service, tenant, query }) => service.versions(tenant, query),
});

export const listNodes = route({
  method: 'get',
  path: '/nodes',
  summary:
    'Which nodes spoke as which components in a window (the last hour by default), and since when, the newest first.',
  query: z.strictObject({
    component_type: input.name.optional(),
    component_id: input.name.optional(),
    ...input.rangeQuery,
  }),
  data: z.array(view.componentNode),
  answer: ({ service, tenant, query }) => service.nodes(tenant, query),
});

export const topology = route({
  method: 'get',
  path: '/topology',
  summary: 'Who calls whom, with rates, errors and latency.',
  query: z.strictObject(input.rangeQuery),
  data: view.topology,
  answer: ({ service, tenant, query }) => service.topology(tenant, query),
});
