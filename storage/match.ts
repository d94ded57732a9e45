/** Which records of a block a query means: by its columns first, by its decoded content where the columns cannot say. */
import { compileLinear } from '../base/linear-pattern.ts';
import { attributeProbe } from '../model/attribute-filter.ts';
import type { BlockIndex } from '../model/block.ts';
import { type DebugEvent, EVENT_TYPES, type EventType, LEVELS, type Level, severityOf } from '../model/event.ts';
import type { Json } from '../model/json.ts';
import { mayHoldText, textProbe } from '../model/text-filter.ts';
import { DECODE_ERROR_KEY } from '../otlp/read.ts';
import type { FilterProbe } from './contract.ts';
import { byteFinder } from './find-bytes.ts';

/** What can be decided on columns alone. All that is given holds together. */
export interface ColumnQuery {
  tenant: string;
  component_type?: string;
  component_id?: string;
  /** Everything that carries it and everything in the traces that it touches. */
  correlation_id?: string;
  operation_id?: string;
  trace_id?: string;
  event_types?: readonly EventType[];
  level?: Level;
  min_level?: Level;
  template_id?: string;
  /** Of the record's own time, nanoseconds, inclusive. Absent: all that is retained. */
  start?: bigint;
  end?: bigint;
}

/** What needs the record itself. */
export interface ContentQuery {
  /** Text that the message contains, case-insensitive. */
  q?: string;
  /** A pattern in RE2's syntax that the message contains, as base/linear-pattern.ts takes it. */
  regex?: string;
  /** Attribute key and the text of its value; the record's own before its scope's before its resource's. */
  attributes?: ReadonlyMap<string, string>;
}

/** A query whose correlation is resolved to traces and whose cursor is read. */
export interface Scope extends ColumnQuery {
  /** The traces that `correlation_id` stands for. */
  traces: readonly string[];
  /** The ids that `template_id` stands for. */
  templates: ReadonlySet<string>;
  /** Only records before this one, newest first. */
  older: { time: bigint; hash: bigint } | null;
}

type Matches = (position: number) => boolean;

/** @returns for each block its test of a position, or null where the block's header says that no record can match */
export function columnMatcher(scope: Scope): (index: BlockIndex) => Matches | null {
  const traces = new Set(scope.traces);
  const types = scope.event_types && EVENT_TYPES.map((type) => scope.event_types!.includes(type));
  const { severityMin, severityMax } = severityRange(scope);

  return ({ header, columns }) => {
    const tests: Matches[] = [];
    const { component_type, component_id, correlation_id, operation_id, trace_id, template_id } = scope;

    if (component_type !== undefined || component_id !== undefined) {
      const wanted = header.components.map(
        ({ type, id }) => (component_type ?? type) === type && (component_id ?? id) === id,
      );
      if (!wanted.includes(true)) return null;
      if (wanted.includes(false)) tests.push((i) => wanted[columns.component[i]!]!);
    }
    // Dictionary columns hold position + 1: not found is 0, which means none, and is told apart here.
    if (correlation_id !== undefined) {
      const own = header.correlations.indexOf(correlation_id) + 1;
      const touched = header.traces.map((trace) => traces.has(trace));
      if (own === 0 && !touched.includes(true)) return null;
      tests.push((i) => (own !== 0 && columns.correlation[i] === own) || touched[columns.trace[i]! - 1] === true);
    }
    for (const [column, values, value] of [
      [columns.operation, header.operations, operation_id],
      [columns.trace, header.traces, trace_id],
    ] as const) {
      if (value === undefined) continue;
      const code = values.indexOf(value) + 1;
      if (code === 0) return null;
      tests.push((i) => column[i] === code);
    }
    if (template_id !== undefined) {
      const wanted = header.templates.map((template) => scope.templates.has(template));
      if (!wanted.includes(true)) return null;
      tests.push((i) => wanted[columns.template[i]! - 1] === true);
    }
    if (types !== undefined) tests.push((i) => types[columns.type[i]!]!);
    if (severityMin > 0) {
      tests.push((i) => columns.severity[i]! >= severityMin && columns.severity[i]! <= severityMax);
    }
    const { start, end, older } = scope;
    if (start !== undefined && header.timeMin < start) tests.push((i) => columns.time[i]! >= start);
    if (end !== undefined && header.timeMax > end) tests.push((i) => columns.time[i]! <= end);
    if (older !== null && header.timeMax >= older.time) {
      tests.push((i) => {
        const time = columns.time[i]!;
        return time < older.time || (time === older.time && columns.hash[i]! < older.hash);
      });
    }
    return (i) => {
      for (const test of tests) if (!test(i)) return false;
      return true;
    };
  };
}

/** How the records of one query are told apart by what they hold. */
export interface ContentMatcher {
  /** First by the filters of a block, for those who have them before its index. */
  probe: FilterProbe;
  /** Then by what the index says of its messages: false where none can match, and its payload need not be read. */
  mayHold(index: BlockIndex): boolean;
  /** Then by the bytes of the block that they are in; null where none of it can match. */
  canMatch(index: BlockIndex, payload: Uint8Array): ((position: number) => boolean) | null;
  matches(event: DebugEvent): boolean;
}

/** Null where nothing is asked of the content. @throws Error that says what is wrong with `regex` */
export function contentMatcher({ q = '', regex, attributes }: ContentQuery): ContentMatcher | null {
  const text = q.toLowerCase();
  const pairs = [...(attributes ?? [])];
  if (text === '' && regex === undefined && pairs.length === 0) return null;
  const pattern = regex === undefined ? null : compileLinear(regex);
  const literals = regex === undefined ? [] : literalsOf(regex);
  const longest = literals.reduce((a, b) => (b.length > a.length ? b : a), text);
  const texts = textProbe([text, ...literals]);
  // What could not be decoded is told under a key that no sender wrote.
  const marked = attributeProbe(pairs.filter(([key]) => key !== DECODE_ERROR_KEY));
  return {
    probe: {
      ...(texts !== null && { texts }),
      ...(marked !== null && { attributes: marked }),
    },
    mayHold: (index) => texts === null || mayHoldText(index.texts, texts),
    canMatch: byteFinder({ text: longest, ...(attributes !== undefined && { attributes }) }),
    matches: (event) =>
      (text === '' || event.message.toLowerCase().includes(text)) &&
      (pattern === null || pattern.matches(event.message)[Symbol.iterator]().next().done === false) &&
      pairs.every(([key, value]) => attributeText(event, key) === value),
  };
}

/** Texts that whatever a pattern matches must hold; none where that is not easily told. */
function literalsOf(pattern: string): string[] {
  // An escape with a letter or a digit behind it that is not a class or a border by itself: a code point, a property, a quotation.
  if (/[|()[\]{}]|\\[0-7xpPQE]/.test(pattern)) return [];
  return pattern.replace(/\\./g, '.').match(/[\w %,;:=@#&~"'<>/!-]+(?![?*])/g) ?? [];
}

function attributeText(event: DebugEvent, key: string): string | undefined {
  for (const attributes of [event.data, event.scope.attributes, event.resource.attributes]) {
    if (Object.hasOwn(attributes, key)) return textOf(attributes[key]!);
  }
  return undefined;
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Records without a severity have no level: they match no level, neither from below. */
export function severityRange({ level, min_level }: Pick<ColumnQuery, 'level' | 'min_level'>): {
  severityMin: number;
  severityMax: number;
} {
  const own = level === undefined ? 0 : severityOf(level);
  const least = min_level === undefined ? 0 : severityOf(min_level);
  return {
    severityMin: Math.max(own, least),
    severityMax: level === undefined ? severityOf(LEVELS.at(-1)!) + 3 : own + 3,
  };
}
