import { z } from 'zod';
import * as input from './inputs.ts';
import { route } from './route.ts';
import * as view from './views.ts';

const { event_type: _, ...filters } = input.eventFilter;

export const createSession = route({
  method: 'post',
  path: '/sessions',
  summary: 'Start a debug session: a name for a look at part of the system from now on.',
  scope: 'admin',
  status: 201,
  body: z.strictObject({
    session_name: z.string().min(1).max(200),
    description: z.string().max(10_000).nullish(),
    filters: z
      .strictObject({ ...filters, event_type: z.array(input.eventType).optional() })
      .nullish()
      .describe('Which events belong to it. Absent: all.'),
    scope: z.union([input.jsonObject, input.name]).nullish().describe('Kept as it is.'),
  }),
  data: view.session,
  answer: ({ service, tenant, body }) => service.createSession(tenant, body),
});

export const listSessions = route({
  method: 'get',
  path: '/sessions',
  summary: 'Sessions, newest first, with what has come in since.',
  query: z.strictObject({ active: input.flag.optional(), limit: input.limit }),
  data: z.array(view.session),
  answer: ({ service, tenant, query }) => service.sessions(tenant, query),
});

export const getSession = route({
  method: 'get',
  path: '/sessions/{session_id}',
  summary: 'One session, with what has come in since.',
  data: view.session,
  notFound: ['SESSION_NOT_FOUND'],
  answer: ({ service, tenant, params }) => service.session(tenant, params.session_id!),
});

export const closeSession = route({
  method: 'put',
  path: '/sessions/{session_id}/close',
  summary: 'End a session; its counts stand still from then on.',
  scope: 'admin',
  data: view.session,
  notFound: ['SESSION_NOT_FOUND'],
  answer: ({ service, tenant, params }) => service.closeSession(tenant, params.session_id!),
});
