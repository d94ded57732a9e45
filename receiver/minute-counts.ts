import { type ComponentRef, SIGNALS } from '../model/block.ts';
import { SEVERITY_CRITICAL, SEVERITY_ERROR } from '../model/event.ts';
import { eventId } from '../model/ids.ts';
import {
  COMPONENT,
  DURATION,
  HASH_HIGH,
  HASH_LOW,
  KIND,
  PART,
  pairOf,
  type RecordTable,
  TIME_HIGH,
  TIME_LOW,
  TRACE,
} from '../model/records.ts';
import type { ComponentMinute, TemplateMinute } from '../model/rollup.ts';
import { Sketch } from '../model/sketch.ts';
import { templateId } from '../model/template.ts';
import { minuteOf, NANOS_PER_MINUTE } from '../model/time.ts';
import { type NameKind, OVERFLOW } from './cardinality.ts';

/** Counts rows of record tables by minute and component, and by template: what health and error patterns are answered from. */
export class MinuteCounts {
  readonly #counts = new Map<string, Count>();
  readonly #admits: Admits;
  readonly #told: (trace: string) => boolean;
  /** 32 hex: of errors with a template. */
  readonly toldTraces = new Set<string>();
  /** Failed spans: whether their trace is told is known at the end. */
  readonly #mute: { row: Row; trace: string }[] = [];
  #table!: RecordTable;
  /** Of the table's components in the minute of the row before. */
  #known: (Count | undefined)[] = [];
  #minute = 0n;
  // The minute in halves, [from, until): most rows fall into that of the row before, which is seen without a bigint.
  #fromHigh = 0;
  #fromLow = 0;
  #untilHigh = 0;
  #untilLow = 0;

  /**
   * @param admits whether a name is counted by itself; asked once a minute and request for a component, once a row for a template
   * @param told whether an error with a template has been seen of a trace before
   */
  constructor(admits: Admits = () => true, told: (trace: string) => boolean = () => false) {
    this.#admits = admits;
    this.#told = told;
  }

  /** The rows that follow are of this table. */
  begin(table: RecordTable): void {
    this.#table = table;
    this.#known = [];
  }

  /** @param at where the row begins */
  count(at: number, template: string | null): void {
    const { words, floats } = this.#table;
    const timeHigh = words[at + TIME_HIGH]!;
    const timeLow = words[at + TIME_LOW]!;
    if (
      before(timeHigh, timeLow, this.#fromHigh, this.#fromLow) ||
      !before(timeHigh, timeLow, this.#untilHigh, this.#untilLow)
    ) {
      this.#enter(minuteOf(pairOf(timeHigh, timeLow)));
    }
    const component = words[at + COMPONENT]!;
    const count = (this.#known[component] ??= this.#countOf(component));
    const severity = (words[at + KIND]! >>> 8) & 0xff;
    const { row } = count;
    row.total++;
    if (severity >= SEVERITY_ERROR) this.#countError(row, template, at);
    if (severity >= SEVERITY_CRITICAL) row.critical++;
    const durationMs = floats[at + DURATION]!;
    if (durationMs >= 0) row.latency.add(durationMs);
    if (template !== null) this.#countTemplate(count, template, at, severity);
  }

  rows(): { componentMinutes: ComponentMinute[]; templateMinutes: TemplateMinute[] } {
    const componentMinutes: ComponentMinute[] = [];
    const templateMinutes: TemplateMinute[] = [];
    for (const { row, trace } of this.#mute) if (!this.toldTraces.has(trace) && !this.#told(trace)) row.untold++;
    this.#mute.length = 0;
    for (const { row, templates } of this.#counts.values()) {
      componentMinutes.push(row);
      for (const { firstHigh, firstLow, lastHigh, lastLow, ...counted } of templates.values()) {
        templateMinutes.push({
          ...counted,
          first_time: pairOf(firstHigh, firstLow),
          last_time: pairOf(lastHigh, lastLow),
        });
      }
    }
    return { componentMinutes, templateMinutes };
  }

  #enter(minute: bigint): void {
    const until = minute + NANOS_PER_MINUTE;
    this.#minute = minute;
    this.#fromHigh = Number(minute >> 32n);
    this.#fromLow = Number(minute & 0xffff_ffffn);
    this.#untilHigh = Number(until >> 32n);
    this.#untilLow = Number(until & 0xffff_ffffn);
    this.#known = [];
  }

  #countOf(component: number): Count {
    const named = this.#table.components[component]!;
    const { type, id } = this.#admits('component', nameOf(named)) ? named : OVERFLOW_COMPONENT;
    const key = `${this.#minute} ${nameOf({ type, id })}`;
    let count = this.#counts.get(key);
    if (count === undefined) {
      const row = {
        minute: this.#minute,
        component_type: type,
        component_id: id,
        total: 0,
        errors: 0,
        untold: 0,
        critical: 0,
        latency: new Sketch(),
      };
      count = { row, templates: new Map() };
      this.#counts.set(key, count);
    }
    return count;
  }

  #countError(row: Row, template: string | null, at: number): void {
    row.errors++;
    const { words, signal, traces } = this.#table;
    const trace = words[at + TRACE]! === 0 ? null : traces[words[at + TRACE]! - 1]!;
    if (template !== null) {
      if (trace !== null) this.toldTraces.add(trace);
    } else if (trace !== null && signal === SPAN && words[at + PART] === 0) {
      this.#mute.push({ row, trace });
    } else {
      row.untold++;
    }
  }

  #countTemplate({ row, templates }: Count, of: string, at: number, severity: number): void {
    const template = templates.has(of) || this.#admits('template', of) ? of : OVERFLOW_TEMPLATE.id;
    const { words } = this.#table;
    const timeHigh = words[at + TIME_HIGH]!;
    const timeLow = words[at + TIME_LOW]!;
    const counted = templates.get(template);
    if (counted === undefined) {
      const { minute, component_type, component_id } = row;
      const hash = pairOf(words[at + HASH_HIGH]!, words[at + HASH_LOW]!);
      templates.set(template, {
        minute,
        template_id: template,
        component_type,
        component_id,
        count: 1,
        severity_max: severity,
        ...{ firstHigh: timeHigh, firstLow: timeLow, lastHigh: timeHigh, lastLow: timeLow },
        example_event_id: eventId(pairOf(timeHigh, timeLow), hash),
      });
      return;
    }
    counted.count++;
    if (severity > counted.severity_max) counted.severity_max = severity;
    if (before(timeHigh, timeLow, counted.firstHigh, counted.firstLow)) {
      counted.firstHigh = timeHigh;
      counted.firstLow = timeLow;
    }
    if (before(counted.lastHigh, counted.lastLow, timeHigh, timeLow)) {
      counted.lastHigh = timeHigh;
      counted.lastLow = timeLow;
    }
  }
}

export type Admits = (kind: NameKind, name: string) => boolean;

/** What stands for the templates beyond the bound. */
export const OVERFLOW_TEMPLATE = { id: templateId(OVERFLOW), text: OVERFLOW };
const OVERFLOW_COMPONENT: ComponentRef = { type: 'system', id: OVERFLOW };

// Senders choose both halves: no separator would tell them apart.
const nameOf = ({ type, id }: ComponentRef) => `${type.length} ${type}${id}`;

type Row = ComponentMinute & { untold: number };

const SPAN = SIGNALS.indexOf('span');

interface Count {
  row: Row;
  templates: Map<string, CountedTemplate>;
}

/** Its times in words: nearly every record moves one of them. */
interface CountedTemplate extends Omit<TemplateMinute, 'first_time' | 'last_time'> {
  firstHigh: number;
  firstLow: number;
  lastHigh: number;
  lastLow: number;
}

function before(high: number, low: number, thanHigh: number, thanLow: number): boolean {
  return high < thanHigh || (high === thanHigh && low < thanLow);
}
