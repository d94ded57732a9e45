/**
 * What a live reader wants to see. Most of it is decided on a block's columns, before anything is decoded; the rest on the decoded
 * event, once for all readers that got so far.
 */
import type { BlockIndex } from '../model/block.ts';
import { type DebugEvent, EVENT_TYPES, type EventType, LEVELS, type Level, levelOf } from '../model/event.ts';
import type { Insight, Severity } from '../model/insight.ts';

/** Types of live messages that carry telemetry. */
export const MESSAGE_TYPES = [
  'debug:event',
  'debug:state_change',
  'debug:metric_update',
  'debug:insight',
  'debug:alert',
] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** Conditions that hold together; an empty list is none. Insights have the level of their severity and no event type. */
export interface LiveFilter {
  level?: readonly Level[] | undefined;
  min_level?: Level | undefined;
  event_type?: readonly EventType[] | undefined;
  message_type?: readonly MessageType[] | undefined;
  component_type?: readonly string[] | undefined;
  component_id?: string | undefined;
  correlation_id?: string | undefined;
  operation_id?: string | undefined;
  trace_id?: string | undefined;
  template_id?: string | undefined;
  /** In any case: of the message, or of an insight's title and summary. */
  q?: string | undefined;
  /** Attribute keys and the text of their values. */
  attributes?: Readonly<Record<string, string>> | undefined;
}

/** Levels and event types, a bit for each: of a block all that occur in it. */
export interface Present {
  levels: number;
  types: number;
}

export interface CompiledFilter {
  /** Whether it may want anything of these: two operations, before a block is looked at in earnest. */
  wants(present: Present): boolean;
  /** Which records of a block may match, from the columns alone; null when none can. */
  block(index: BlockIndex): BlockTest | null;
  /** In lower case: what the message of an event must hold. The hub looks for those of all filters at once. */
  readonly text: string | undefined;
  /** Whether an event whose record passed, and whose message holds the text, matches; null: nothing else is asked for. */
  readonly event: ((event: DebugEvent) => boolean) | null;
  insight(insight: Insight, type: MessageType): boolean;
}

export interface BlockTest {
  /** By component, severity and type: the same for every record that agrees in these. */
  kind(position: number): boolean;
  /** Whether the component makes no difference within the block. */
  everyComponent: boolean;
  /** The rest; null: nothing else is asked for. */
  record: RecordTest | null;
}

/** @param correlations what the record belongs to: its own, its trace's */
export type RecordTest = (position: number, correlations: readonly (string | undefined)[]) => boolean;

export function compileFilter(filter: LiveFilter): CompiledFilter {
  const levels = levelMask(filter);
  const types = typeMask(filter);
  const messages = filter.message_type?.length ? new Set(filter.message_type) : null;
  const componentTypes = filter.component_type?.length ? new Set(filter.component_type) : null;
  const { component_id, correlation_id, operation_id, trace_id, template_id } = filter;
  const q = filter.q?.toLowerCase();
  const attributes = Object.entries(filter.attributes ?? {});
  const ofEvents = [filter.event_type?.[0], trace_id, template_id, filter.attributes];
  const eventsOnly = ofEvents.some((condition) => condition !== undefined);

  return {
    wants: (present) => (levels & present.levels) !== 0 && (types & present.types) !== 0,

    // A thousand readers hold every record against their filters: texts are compared once a block, records by numbers.
    block({ header, columns }) {
      const wanted = header.components.map(
        ({ type, id }) => (componentTypes === null || componentTypes.has(type)) && (component_id ?? id) === id,
      );
      const operation = operation_id === undefined ? ANY : header.operations.indexOf(operation_id) + 1;
      const trace = trace_id === undefined ? ANY : header.traces.indexOf(trace_id) + 1;
      const template = template_id === undefined ? ANY : header.templates.indexOf(template_id) + 1;
      if (operation === 0 || trace === 0 || template === 0 || !wanted.includes(true)) return null;
      const narrow = operation !== ANY || trace !== ANY || template !== ANY || correlation_id !== undefined;
      return {
        kind: (i) =>
          (levels & LEVEL_BITS[columns.severity[i]!]!) !== 0 &&
          (types & (1 << columns.type[i]!)) !== 0 &&
          wanted[columns.component[i]!]!,
        everyComponent: !wanted.includes(false),
        record: narrow
          ? (i, correlations) =>
              (operation === ANY || operation === columns.operation[i]) &&
              (trace === ANY || trace === columns.trace[i]) &&
              (template === ANY || template === columns.template[i]) &&
              (correlation_id === undefined || correlations.includes(correlation_id))
          : null,
      };
    },

    text: q === '' ? undefined : q,

    event:
      attributes.length === 0
        ? null
        : (event) => attributes.every(([key, value]) => attributeText(event, key) === value),

    insight(insight, type) {
      if (eventsOnly || (messages !== null && !messages.has(type))) return false;
      if ((levels & (1 << (1 + LEVELS.indexOf(LEVEL_OF_SEVERITY[insight.severity])))) === 0) return false;
      const components = insight.affected_components;
      return (
        (componentTypes === null || components.some((component) => componentTypes.has(component.type))) &&
        (component_id === undefined || components.some((component) => component.id === component_id)) &&
        (correlation_id === undefined || correlation_id === insight.correlation_id) &&
        (operation_id === undefined || operation_id === insight.operation_id) &&
        (q === undefined || `${insight.title}\n${insight.summary}`.toLowerCase().includes(q))
      );
    },
  };
}

/** Which message an event becomes. */
export function messageTypeOf(type: EventType): MessageType {
  if (type === 'state_snapshot') return 'debug:state_change';
  return type === 'metric' ? 'debug:metric_update' : 'debug:event';
}

const LEVEL_OF_SEVERITY: Record<Severity, Level> = { info: 'INFO', warning: 'WARNING', critical: 'CRITICAL' };

/** Bit 0 is no level at all, which passes only where no level is asked for. */
function levelMask({ level, min_level }: LiveFilter): number {
  const listed = level?.length ? level : LEVELS;
  const from = min_level === undefined ? 0 : LEVELS.indexOf(min_level);
  let mask = level?.length || min_level !== undefined ? 0 : 1;
  for (const each of listed) if (LEVELS.indexOf(each) >= from) mask |= 1 << (1 + LEVELS.indexOf(each));
  return mask;
}

export function presentAt({ columns }: BlockIndex, i: number): Present {
  return { levels: LEVEL_BITS[columns.severity[i]!]!, types: 1 << columns.type[i]! };
}

/** By severity number. */
const LEVEL_BITS = Array.from({ length: 256 }, (_, severity) => {
  const level = levelOf(severity);
  return level === null ? 1 : 1 << (1 + LEVELS.indexOf(level));
});
const ANY = -1;

/** One bit for each event type that is asked for, directly or by the message that it becomes. */
function typeMask({ event_type, message_type }: LiveFilter): number {
  let mask = 0;
  for (const [bit, type] of EVENT_TYPES.entries()) {
    const asked = !event_type?.length || event_type.includes(type);
    if (asked && (!message_type?.length || message_type.includes(messageTypeOf(type)))) mask |= 1 << bit;
  }
  return mask;
}

/** The record's own before its scope's before its resource's, as in paged queries. */
function attributeText({ data, scope, resource }: DebugEvent, key: string): string | undefined {
  const value = [data, scope.attributes, resource.attributes].find((attributes) => Object.hasOwn(attributes, key))?.[
    key
  ];
  return typeof value === 'string' || value === undefined ? value : JSON.stringify(value);
}
