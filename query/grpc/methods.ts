/** What each method asks of the service. A question is taken apart, asked, and its answer put into a message: nothing is decided here. */
import type { DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Principal, Scope } from '../../base/tokens.ts';
import type { DebugEvent } from '../../model/event.ts';
import { INSIGHT_STATES, INSIGHT_TYPES, SCOPES, SEVERITIES } from '../../model/insight.ts';
import type { DebugQuery } from '../../proto/gen/debug/v1/debug_query_pb.js';
import { invalid, malformed } from '../answer.ts';
import type { Live } from '../live.ts';
import { parseChannel } from '../live-channels.ts';
import { MESSAGE_TYPES } from '../live-filter.ts';
import { createOutbox } from '../live-outbox.ts';
import type { QueryService } from '../service.ts';
import * as message from './messages.ts';
import { given } from './messages.ts';

/** Whom a call is for, and until when. */
export interface Caller {
  service: QueryService;
  live: Live | null;
  clock: Clock;
  principal: Principal;
  tenant: string;
  /** Aborted when the client leaves, its deadline passes, or the server stops. */
  signal: AbortSignal;
}

type Methods = typeof DebugQuery.method;
type Unary = { [Name in keyof Methods]: Methods[Name] extends { methodKind: 'unary' } ? Name : never }[keyof Methods];
export type MethodName = Unary;
type Request<M extends DescMethod> = MessageShape<M['input']>;
type Response<M extends DescMethod> = MessageInitShape<M['output']>;

export const METHODS: {
  [Name in Unary]: {
    scope: Scope;
    answer(request: Request<Methods[Name]>, caller: Caller): Promise<Response<Methods[Name]>>;
  };
} = {
  getEvent: {
    scope: 'read',
    async answer({ eventId }, { service, tenant }) {
      const { data, meta } = await service.event(tenant, required('event_id', eventId));
      return { event: message.eventMessage(data), meta: message.metaMessage(meta) };
    },
  },

  queryInsights: {
    scope: 'read',
    async answer(request, { service, tenant }) {
      const { data, meta } = await service.insights(tenant, {
        insight_type: oneOf('insight_type', request.insightType, INSIGHT_TYPES),
        severity: oneOf('severity', request.severity, SEVERITIES),
        scope: oneOf('scope', request.scope, SCOPES),
        state: oneOf('state', request.state, INSIGHT_STATES),
        resolved: request.resolved,
        component_type: given(request.componentType),
        component_id: given(request.componentId),
        correlation_id: given(request.correlationId),
        operation_id: given(request.operationId),
        ...message.timeRangeOf(request.time),
        limit: limitOf(request.limit, 100, 1000),
        cursor: given(request.cursor),
      });
      return {
        insights: data.map(message.insightMessage),
        meta: message.metaMessage(meta),
        nextCursor: meta.next_cursor ?? '',
      };
    },
  },

  generateInsights: {
    scope: 'admin',
    async answer(request, { service, tenant }) {
      const { data, meta } = await service.generate(tenant, {
        correlation_id: given(request.correlationId),
        component_type: given(request.componentType),
        component_id: given(request.componentId),
        operation_id: given(request.operationId),
        ...message.timeRangeOf(request.time),
      });
      return { insights: data.map(message.insightMessage), meta: message.metaMessage(meta) };
    },
  },

  resolveInsight: {
    scope: 'admin',
    async answer({ insightId, resolutionNotes, actor }, { service, tenant, principal }) {
      const notes = required('resolution_notes', resolutionNotes);
      const change = { notes, actor: given(actor) ?? principal.name };
      const { data } = await service.resolve(tenant, required('insight_id', insightId), change);
      return { insight: message.insightMessage(data) };
    },
  },

  getComponentHealth: {
    scope: 'read',
    async answer(request, { service, tenant }) {
      const { data, meta } = await service.componentHealth(tenant, {
        component_type: required('component_type', request.componentType),
        component_id: required('component_id', request.componentId),
        ...message.timeRangeOf(request.time),
      });
      return {
        component: { type: data.component_type, id: data.component_id },
        health: message.healthMessage(data),
        insights: data.insights.map(message.briefMessage),
        window: message.windowMessage(data.time_range),
        meta: message.metaMessage(meta),
      };
    },
  },

  getOperationProgress: {
    scope: 'read',
    async answer({ operationId }, { service, tenant }) {
      const { data, meta } = await service.progress(tenant, required('operation_id', operationId));
      return message.progressMessage(data, meta);
    },
  },

  explainError: {
    scope: 'read',
    async answer({ id }, { service, tenant }) {
      const { data, meta } = await service.explain(tenant, required('id', id));
      return message.explanationMessage(data, meta);
    },
  },

  compareComponents: {
    scope: 'read',
    async answer(request, { service, tenant }) {
      const { components, operations, windows } = request;
      const [sides, ...more] = [components, operations, windows].filter((list) => list.length > 0);
      if (sides === undefined || more.length > 0)
        throw malformed('components', 'give exactly one of components, operations and windows');
      if (sides.length < 2 || sides.length > SIDES_MAX)
        throw malformed('components', `takes 2 to ${SIDES_MAX} to compare`);
      const { data, meta } = await service.compare(tenant, {
        ...(components.length > 0 && { components }),
        ...(operations.length > 0 && { operations }),
        ...(windows.length > 0 && { windows: windows.map(message.windowOf) }),
        component_type: given(request.componentType),
        component_id: given(request.componentId),
        ...message.timeRangeOf(request.time),
      });
      return message.comparisonMessage(data, meta);
    },
  },

  analyzeConsistency: {
    scope: 'read',
    async answer({ operationId, componentIds, componentType }, { service, tenant }) {
      const { data, meta } = await service.consistency(tenant, {
        operation_id: required('operation_id', operationId),
        ...(componentIds.length > 0 && { component_ids: componentIds }),
        component_type: given(componentType),
      });
      return { insight: message.insightMessage(data), meta: message.metaMessage(meta) };
    },
  },

  rankRootCauses: {
    scope: 'read',
    async answer({ window, baseline, limit }, { service, tenant }) {
      if (window === undefined) throw invalid([{ field: 'window', message: 'is required' }]);
      const { data, meta } = await service.rootCause(tenant, {
        window: message.windowOf(window),
        ...(baseline !== undefined && { baseline: message.windowOf(baseline) }),
        limit: limitOf(limit, 100, 1000),
      });
      return message.causesMessage(data, meta);
    },
  },

  ask: {
    scope: 'read',
    async answer({ question, context, budgetTokens }, { service, tenant }) {
      const { data, meta } = await service.ask(tenant, {
        question: required('question', question),
        context,
        budget_tokens: budgetTokens,
      });
      return message.askMessage(data, meta);
    },
  },
};

type Stream<M extends DescMethod> = (
  request: Request<M>,
  caller: Caller,
  call: ServerWritableStream<never, Response<M>>,
) => Promise<void>;

/** Each ends when there is no more, and throws what it failed by. */
export const STREAMS: {
  queryEvents: Stream<Methods['queryEvents']>;
  tail: Stream<Methods['tail']>;
} = {
  /** A page is read when the one before has left this process: a slow client holds back the reading, and costs one page. */
  async queryEvents({ filter, time, limit }, { service, tenant, signal }, call) {
    const wanted = { ...message.filterOf(filter), ...message.timeRangeOf(time) };
    let left = limit === undefined ? Number.POSITIVE_INFINITY : limitOf(limit, 0, Number.MAX_SAFE_INTEGER);
    let cursor: string | undefined;
    do {
      const { data, meta } = await service.events(tenant, { ...wanted, limit: Math.min(left, PAGE_EVENTS), cursor });
      left -= data.length;
      cursor = meta.next_cursor;
      const pages = [...inPages(data)];
      for (const [i, events] of pages.entries()) {
        const isLast = i === pages.length - 1;
        await written(
          call,
          { events, meta: message.metaMessage({ ...meta, truncated: !isLast || meta.truncated }) },
          signal,
        );
      }
    } while (cursor !== undefined && left > 0);
  },

  async tail({ channel: name, filter, messageType, since }, { live, clock, tenant, signal }, call) {
    if (live === null) throw new DebugError('DISABLED', 'streaming is switched off', { reason: 'STREAMING_DISABLED' });
    const channel = parseChannel(name === '' ? 'debug:all' : name);
    if (channel === null) throw malformed('channel', 'is debug:all, debug:<component_id> or debug:correlation:<id>');
    const unknown = messageType.find((type) => !(MESSAGE_TYPES as readonly string[]).includes(type));
    if (unknown !== undefined) throw malformed('message_type', `'${unknown}' is none of ${MESSAGE_TYPES.join(', ')}`);
    const { level, component_type, ...conditions } = message.filterOf(filter);
    const ended = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => ended.reject(signal.reason), { once: true });
    const outbox = createOutbox<string>({
      clock,
      flusher: live.flusher,
      write(texts, taken) {
        for (const [i, text] of texts.entries()) {
          const isLast = i === texts.length - 1;
          call.write(text === '' ? CONNECTED(live.cursor()) : decoded(text), isLast ? taken : undefined);
        }
      },
      gapText: (dropped) => JSON.stringify({ type: 'debug:gap', cursor: live.cursor(), dropped }),
      giveUp: () => ended.reject(new DebugError('THROTTLED', 'the client takes nothing')),
    });
    call.sendMetadata(new Metadata());
    const leave = live.subscribe({
      tenant,
      channel,
      filter: {
        ...conditions,
        ...(level !== undefined && { level: [level] }),
        ...(component_type !== undefined && { component_type: [component_type] }),
        message_type: messageType as (typeof MESSAGE_TYPES)[number][],
      },
      since: given(since),
      deliver: (message) => outbox.push(message.text(name)),
      gap: outbox.gap,
    });
    outbox.push('');
    try {
      await ended.promise;
    } finally {
      leave();
      outbox.flush();
      outbox.close();
    }
  },
};

const SIDES_MAX = 10;
const PAGE_EVENTS = 500;
// Far under the 4 MiB that clients take unless they are told otherwise; and clients keep some messages ready (grpc-js 16), which
// is how far ahead of them we read.
const MESSAGE_CHARS = 64 << 10;

/** So many events in a message as a client takes; one event that is larger stands alone. */
function* inPages(events: readonly DebugEvent[]) {
  let page = [];
  let chars = 0;
  for (const event of events) {
    page.push(message.eventMessage(event));
    chars += JSON.stringify(event).length;
    if (chars < MESSAGE_CHARS) continue;
    yield page;
    page = [];
    chars = 0;
  }
  if (page.length > 0 || events.length === 0) yield page;
}

/** Resolves when the message has left for the connection, which waits for its client. @throws what the signal was aborted with */
function written<T>(call: ServerWritableStream<never, T>, response: T, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = () => reject(signal.reason);
  if (signal.aborted) stop();
  else {
    signal.addEventListener('abort', stop, { once: true });
    call.write(response, () => resolve());
  }
  return promise.finally(() => signal.removeEventListener('abort', stop));
}

/** The first message: from its cursor on nothing is missed. */
const CONNECTED = (cursor: string): Response<Methods['tail']> => ({ type: 'connected', cursor });

function decoded(text: string): Response<Methods['tail']> {
  const { type, cursor, dropped } = JSON.parse(text) as { type: string; cursor: string; dropped?: number | null };
  if (type !== 'debug:gap') return message.liveMessage(text);
  return { type, cursor, data: { case: 'gap', value: dropped == null ? {} : { dropped: BigInt(dropped) } } };
}

function required(field: string, text: string): string {
  if (text === '') throw invalid([{ field, message: 'is required' }]);
  return text;
}

function limitOf(limit: number | undefined, fallback: number, max: number): number {
  const asked = limit ?? fallback;
  if (asked < 1 || asked > max) throw malformed('limit', `is 1 to ${max}`);
  return asked;
}

function oneOf<const T extends string>(field: string, text: string, known: readonly T[]): T | undefined {
  if (text === '' || (known as readonly string[]).includes(text)) return given(text) as T | undefined;
  throw malformed(field, `'${text}' is none of ${known.join(', ')}`);
}
