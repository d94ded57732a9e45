/** What WebSocket clients may say. */
import { z } from 'zod';
import { EVENT_TYPES } from '../../model/event.ts';
import { invalid, malformed } from '../answer.ts';
import { MESSAGE_TYPES } from '../live-filter.ts';
import { fieldErrors, level } from '../validation.ts';

const list = <T extends z.ZodType>(of: T) =>
  z
    .union([z.array(of), of.transform((one) => [one])])
    .transform((items) => items as z.output<T>[])
    .optional();

/** `debug:insight`, or `insight`. */
const messageType = z
  .string()
  .transform((type) => (type.startsWith('debug:') ? type : `debug:${type}`))
  .pipe(z.enum(MESSAGE_TYPES));

const filter = z.strictObject({
  level: list(level),
  min_level: level.optional(),
  event_type: list(z.enum(EVENT_TYPES)),
  message_type: list(messageType),
  component_type: list(z.string()),
  q: z.string().max(256).optional(),
});

const clientMessage = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('subscribe'),
    channel: z.string(),
    filter: filter.optional(),
    since: z.string().max(256).nullish(),
  }),
  z.strictObject({ action: z.literal('unsubscribe'), channel: z.string() }),
  z.strictObject({ action: z.literal('ping') }),
  z.strictObject({ action: z.literal('authenticate'), token: z.string() }),
]);

export type ClientMessage = z.output<typeof clientMessage>;

/** @throws DebugError MALFORMED for what is no JSON, INVALID for what is no message, naming the fields */
export function parseClientMessage(text: string): ClientMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed('message', 'is not JSON');
  }
  const parsed = clientMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(fieldErrors(parsed.error, 'message'));
}
