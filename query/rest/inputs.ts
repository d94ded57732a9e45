/** The pieces that requests are made of: validated here, written into /openapi.json from here. */
import { z } from 'zod';
import { EVENT_TYPES } from '../../model/event.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { parseNanos } from '../../model/time.ts';
import { TIME_MAX } from '../params.ts';
import type { PostedObject } from '../records.ts';
import { level } from '../validation.ts';

/** Names and ids as senders choose them. */
export const name = z.string().min(1).max(256);
export const componentType = z
  .string()
  .regex(/^[a-z][a-z0-9_.-]{0,63}$/, 'must be agent, browser, workflow, service, system or another lower-case slug')
  .meta({ examples: ['agent', 'browser', 'workflow', 'service', 'system'] });
export const eventType = z.enum(EVENT_TYPES);
export const timestamp = z
  .string()
  .refine((text) => (parseNanos(text) ?? TIME_MAX + 1n) <= TIME_MAX, 'must be an RFC 3339 time between 1970 and 2554')
  .meta({ format: 'date-time', examples: ['2026-11-22T12:00:00.123456789Z'] });

/** An object whose keys are the sender's: taken as it is, whatever its keys are called. */
export const postedObject = z
  .custom<PostedObject>(isJsonObject, 'must be an object')
  .meta({ type: 'object', additionalProperties: true });
export const jsonObject = z
  .custom<JsonObject>(isJsonObject, 'must be an object')
  .meta({ type: 'object', additionalProperties: true });

export const timeRange = {
  time_range: z
    .string()
    .describe(
      'Up to now: 90s, 15m, 1h, last_1h, 24h, 7d; or an interval as start/end. Not together with start and end.',
    )
    .meta({ examples: ['1h'] }),
  start: z.string().describe('RFC 3339, inclusive.').meta({ format: 'date-time' }),
  end: z.string().describe('RFC 3339, inclusive.').meta({ format: 'date-time' }),
};

/** The same in a query string and in a body; there a range may also be an object, as windows are elsewhere. */
export const rangeQuery = {
  time_range: timeRange.time_range.optional(),
  start: timeRange.start.optional(),
  end: timeRange.end.optional(),
};
export const rangeBody = {
  time_range: z
    .union([
      timeRange.time_range,
      z.strictObject({ start: timeRange.start, end: timeRange.end }).transform(({ start, end }) => `${start}/${end}`),
    ])
    .nullish(),
  start: timeRange.start.nullish(),
  end: timeRange.end.nullish(),
};

export const limit = z.coerce.number<string>().int().min(1).max(1000).default(100);
export const cursor = z
  .string()
  .min(1)
  .max(2048)
  .describe('`meta.next_cursor` of the page before, with the same filters.');
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** A list in a query string: repeated, or joined with commas. */
export const eventTypes = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(eventType))
  .describe(`Any of ${EVENT_TYPES.join(', ')}; several joined with commas.`);

/** What events are chosen by, everywhere. */
export const eventFilter = {
  component_type: name.optional(),
  component_id: name.optional(),
  correlation_id: name.optional().describe('Everything that carries it and everything in the traces that it touches.'),
  operation_id: name.optional(),
  trace_id: z
    .string()
    .regex(/^[0-9a-fA-F]{32}$/, 'must be 32 hex digits')
    .transform((hex) => hex.toLowerCase())
    .optional(),
  event_type: eventTypes.optional(),
  level: level.optional(),
  min_level: level.optional().describe('This level and those above.'),
  q: name.optional().describe('Text that the message contains, in any case.'),
  template_id: name.optional(),
  attributes: z
    .record(z.string().min(1), z.string())
    .optional()
    .describe('As `attr.<key>=<value>`, for each attribute that must have this value.'),
};
