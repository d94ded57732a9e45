import { z } from 'zod';
import type { FieldError } from '../../base/errors.ts';
import { DebugError } from '../../base/errors.ts';
import { LEVELS } from '../../model/event.ts';
import { invalid } from '../answer.ts';
import type { PostedEvent } from '../records.ts';
import { fieldErrors } from '../validation.ts';
import * as input from './inputs.ts';
import { route } from './route.ts';
import * as view from './views.ts';

/** 10,000 are encoded in some 200 ms; what is more comes in several requests. */
const BATCH_EVENTS_MAX = 10_000;

const postedEvent = z.strictObject({
  event_type: input.eventType,
  component_type: input.componentType,
  correlation_id: input.name,
  component_id: input.name.nullish().describe('Absent: `unknown`.'),
  level: z.enum(LEVELS).nullish().describe('Absent: none, or ERROR where event_type is error.'),
  message: z.string().nullish(),
  data: input.postedObject.nullish(),
  operation_id: input.name.nullish(),
  parent_event_id: input.name.nullish(),
  trace_id: z
    .string()
    .regex(/^(?!0{32})[0-9a-f]{32}$/, 'must be 32 lower-case hex digits, not all zero')
    .nullish(),
  span_id: z
    .string()
    .regex(/^(?!0{16})[0-9a-f]{16}$/, 'must be 16 lower-case hex digits, not all zero')
    .nullish(),
  timestamp: input.timestamp.nullish().describe('Absent: now.'),
});

export const postEvent = route({
  method: 'post',
  path: '/events',
  summary: 'Store one event. With an Idempotency-Key a request sent again stores nothing twice.',
  scope: 'ingest',
  status: 201,
  body: postedEvent,
  data: z.strictObject({ event_id: z.string() }),
  async answer({ service, tenant, body, key }) {
    const { data, meta } = await service.postEvents(tenant, [body], key);
    return { data: { event_id: data.event_ids[0] }, meta };
  },
});

export const postBatch = route({
  method: 'post',
  path: '/events/batch',
  summary: 'Store many events: those that validate are stored, the others are named.',
  scope: 'ingest',
  status: 201,
  body: z.strictObject({
    events: z.array(z.unknown()).meta({ items: z.toJSONSchema(postedEvent, { io: 'input', unrepresentable: 'any' }) }),
  }),
  data: z.strictObject({
    collected_count: z.number().int(),
    event_ids: z.array(z.string().nullable()).describe('In the order of the events; null where one was refused.'),
    errors: z.array(z.strictObject({ index: z.number().int(), message: z.string() })),
  }),
  async answer({ service, tenant, body, key }) {
    const count = body.events.length;
    if (count > BATCH_EVENTS_MAX)
      throw new DebugError('TOO_LARGE', `a batch holds at most ${BATCH_EVENTS_MAX} events, not ${count}`);
    const taken: { index: number; event: PostedEvent }[] = [];
    const refused: { index: number; fields: FieldError[] }[] = [];
    for (const [index, event] of body.events.entries()) {
      const parsed = postedEvent.safeParse(event);
      if (parsed.success) taken.push({ index, event: parsed.data });
      else refused.push({ index, fields: fieldErrors(parsed.error) });
    }
    // A sender that does not read bodies must not take a batch of which nothing was stored for a success.
    if (taken.length === 0 && refused.length > 0) throw invalid(refused.flatMap(inBatch));
    const { data, meta } = await service.postEvents(
      tenant,
      taken.map(({ event }) => event),
      key,
    );
    const event_ids: (string | null)[] = new Array(count).fill(null);
    for (const [i, { index }] of taken.entries()) event_ids[index] = data.event_ids[i]!;
    const errors = refused.map(({ index, fields }) => ({ index, message: inWords(fields) }));
    return { data: { collected_count: taken.length, event_ids, errors }, meta };
  },
});

/** What chooses events, paged or followed. */
export const eventsQuery = z.strictObject({
  ...input.eventFilter,
  ...input.rangeQuery,
  regex: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .describe('A pattern that the message contains, in the syntax of RE2; `(?i)` in front: in any case.'),
  limit: input.limit,
  cursor: input.cursor.optional(),
  follow: z
    .enum(['true', 'false'])
    .optional()
    .describe(
      'With `true`: NDJSON of what comes in from now on, or behind the cursor `since`, until the client leaves.',
    ),
});

export const listEvents = route({
  method: 'get',
  path: '/events',
  summary: 'Events, newest first.',
  query: eventsQuery,
  data: z.array(view.event),
  answer: ({ service, tenant, query: { follow: _, ...query } }) => service.events(tenant, query),
});

export const getEvent = route({
  method: 'get',
  path: '/events/{event_id}',
  summary: 'One event, from whichever tier holds it.',
  data: view.event,
  notFound: ['EVENT_NOT_FOUND'],
  tagged: true,
  answer: ({ service, tenant, params }) => service.event(tenant, params.event_id!),
});

function inBatch({ index, fields }: { index: number; fields: FieldError[] }): FieldError[] {
  return fields.map(({ field, message }) => ({
    field: field === 'body' ? `events[${index}]` : `events[${index}].${field}`,
    message,
  }));
}

function inWords(fields: readonly FieldError[]): string {
  return fields.map(({ field, message }) => `${field}: ${message}`).join('; ');
}
