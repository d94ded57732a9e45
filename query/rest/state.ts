import { z } from 'zod';
import { SNAPSHOT_TYPES } from '../../model/snapshot.ts';
import * as input from './inputs.ts';
import { route } from './route.ts';
import * as view from './views.ts';

export const postState = route({
  method: 'post',
  path: '/state',
  summary: 'Store a state snapshot of a component; the answer says what it changed.',
  scope: 'ingest',
  status: 201,
  body: z.strictObject({
    component_type: input.componentType,
    component_id: input.name,
    operation_id: input.name,
    state_data: input.postedObject,
    checkpoint_name: input.name.nullish(),
    snapshot_type: z.enum(SNAPSHOT_TYPES).nullish().describe('Absent: full.'),
    correlation_id: input.name.nullish(),
    timestamp: input.timestamp.nullish().describe('Absent: now.'),
  }),
  data: view.snapshotPosted,
  answer: ({ service, tenant, body, key }) => service.postState(tenant, body, key),
});

export const getState = route({
  method: 'get',
  path: '/state/{component_type}/{component_id}',
  summary: 'The latest snapshot that matches, at that time.',
  query: z.strictObject({
    operation_id: input.name.optional(),
    checkpoint_name: input.name.optional(),
    at: z.string().optional().describe('RFC 3339. Absent: the latest.').meta({ format: 'date-time' }),
  }),
  data: view.snapshot,
  notFound: ['SNAPSHOT_NOT_FOUND'],
  answer: ({ service, tenant, params, query }) =>
    service.state(tenant, { component_type: params.component_type!, component_id: params.component_id!, ...query }),
});

export const getHistory = route({
  method: 'get',
  path: '/state/{component_type}/{component_id}/history',
  summary: "When one key of a component's states changed, newest first.",
  query: z.strictObject({
    key: z.string().min(1).max(1024).describe('A path as in diffs: `orders[2].state`, `stock["sku.42"]`.'),
    operation_id: input.name.optional(),
    ...input.rangeQuery,
    limit: input.limit,
  }),
  data: z.array(view.keyChange),
  notFound: ['SNAPSHOT_NOT_FOUND'],
  answer: ({ service, tenant, params, query }) =>
    service.stateHistory(tenant, {
      component_type: params.component_type!,
      component_id: params.component_id!,
      ...query,
    }),
});
