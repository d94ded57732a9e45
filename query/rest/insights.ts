import { z } from 'zod';
import { INSIGHT_STATES, INSIGHT_TYPES, SCOPES, SEVERITIES } from '../../model/insight.ts';
import * as input from './inputs.ts';
import { route } from './route.ts';
import * as view from './views.ts';

const notFound = ['INSIGHT_NOT_FOUND'];

export const listInsights = route({
  method: 'get',
  path: '/insights',
  summary: 'Insights, last seen first; time_range is over last_seen.',
  query: z.strictObject({
    insight_type: z.enum(INSIGHT_TYPES).optional(),
    severity: z.enum(SEVERITIES).optional(),
    scope: z.enum(SCOPES).optional(),
    resolved: input.flag.optional(),
    state: z.enum(INSIGHT_STATES).optional(),
    component_type: input.name.optional(),
    component_id: input.name.optional(),
    correlation_id: input.name.optional(),
    operation_id: input.name.optional(),
    ...input.rangeQuery,
    limit: input.limit,
    cursor: input.cursor.optional(),
  }),
  data: z.array(view.insight),
  answer: ({ service, tenant, query }) => service.insights(tenant, query),
});

export const getInsight = route({
  method: 'get',
  path: '/insights/{insight_id}',
  summary: 'One insight with its evidence.',
  data: view.insight,
  notFound,
  answer: ({ service, tenant, params }) => service.insight(tenant, params.insight_id!),
});

export const generateInsights = route({
  method: 'post',
  path: '/insights/generate',
  summary: 'Look into what is named now; what is found is stored once, however often it is asked.',
  scope: 'admin',
  body: z.strictObject({
    correlation_id: input.name.nullish(),
    component_type: input.name.nullish(),
    component_id: input.name.nullish(),
    operation_id: input.name.nullish(),
    ...input.rangeBody,
  }),
  data: z.array(view.insight),
  answer: ({ service, tenant, body }) => service.generate(tenant, body),
});

export const resolveInsight = route({
  method: 'put',
  path: '/insights/{insight_id}/resolve',
  summary: 'Note how it was resolved; if it comes back it is `regressed`.',
  scope: 'admin',
  body: z.strictObject({ resolution_notes: z.string().min(1).max(10_000), actor: input.name.nullish() }),
  data: view.insight,
  notFound,
  answer: ({ service, tenant, params, body }) =>
    service.resolve(tenant, params.insight_id!, { notes: body.resolution_notes, actor: body.actor }),
});

const change = z.strictObject({ notes: z.string().max(10_000).nullish(), actor: input.name.nullish() });

export const ignoreInsight = route({
  method: 'put',
  path: '/insights/{insight_id}/ignore',
  summary: 'Never show it as open again.',
  scope: 'admin',
  body: change,
  data: view.insight,
  notFound,
  answer: ({ service, tenant, params, body }) => service.ignore(tenant, params.insight_id!, body),
});

export const reopenInsight = route({
  method: 'put',
  path: '/insights/{insight_id}/reopen',
  summary: 'Open it again.',
  scope: 'admin',
  body: change,
  data: view.insight,
  notFound,
  answer: ({ service, tenant, params, body }) => service.reopen(tenant, params.insight_id!, body),
});

export const explainError = route({
  method: 'get',
  path: '/errors/{id}/explain',
  summary: 'The root cause behind an event or an insight, the chain to it, and what to do.',
  data: view.explanation,
  notFound: ['EVENT_NOT_FOUND'],
  answer: ({ service, tenant, params }) => service.explain(tenant, params.id!),
});

export const changes = route({
  method: 'get',
  path: '/changes',
  summary: 'What is new since a cursor: insights opened, changed, resolved. Without one, what is open.',
  query: z.strictObject({ since: input.cursor.describe('`data.cursor` of the answer before.').optional() }),
  data: view.changes,
  answer: ({ service, tenant, query }) => service.changes(tenant, query),
});
