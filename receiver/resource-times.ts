/**
 * Which resources speak in some requests, as which components, from when until when. A resource is met once a request; of a record only
 * its time is looked at; one that cannot be, of a clock that is wrong, counts as when the record arrived.
 */
import { type ComponentRef, SKEW_AHEAD_NANOS } from '../model/block.ts';
import { COMPONENT, ENVELOPE, pairOf, type RecordTable, TIME_HIGH, TIME_LOW } from '../model/records.ts';
import type { Resource } from '../model/resource.ts';
import { readResource } from '../otlp/read.ts';
import type { KnownResources } from './known-resources.ts';
import type { Admits } from './minute-counts.ts';

export class ResourceTimes {
  readonly #met: Met[] = [];
  /** Of the table, by where the resource lies and who speaks. */
  #ofTable = new Map<number, Met>();
  #table!: RecordTable;
  #receivedAt = 0n;
  // From here on a record is ahead.
  #aheadHigh = 0;
  #aheadLow = 0;
  #envelope = -1;
  #component = -1;
  #last!: Met;

  /** The rows that follow are of this table. */
  begin(table: RecordTable, receivedAt: bigint): void {
    this.#table = table;
    this.#receivedAt = receivedAt;
    const ahead = receivedAt + SKEW_AHEAD_NANOS;
    this.#aheadHigh = Number(ahead >> 32n);
    this.#aheadLow = Number(ahead & 0xffff_ffffn);
    this.#ofTable = new Map();
    this.#envelope = -1;
  }

  /** @param at where the row begins */
  note(at: number): void {
    const { words } = this.#table;
    const envelope = words[at + ENVELOPE]!;
    const component = words[at + COMPONENT]!;
    if (envelope !== this.#envelope || component !== this.#component) this.#enter(envelope, component);
    const met = this.#last;
    const high = words[at + TIME_HIGH]!;
    const low = words[at + TIME_LOW]!;
    if (high > met.lastHigh || (high === met.lastHigh && low > met.lastLow)) {
      if (high > this.#aheadHigh || (high === this.#aheadHigh && low >= this.#aheadLow)) {
        met.isUntimed = true;
        return;
      }
      met.lastHigh = high;
      met.lastLow = low;
    }
    if (high < met.firstHigh || (high === met.firstHigh && low < met.firstLow)) {
      if (high < SET_CLOCK_HIGH) {
        met.isUntimed = true;
        return;
      }
      met.firstHigh = high;
      met.firstLow = low;
    }
  }

  /** What the store does not know, as far as there is room. */
  rows(tenant: string, known: KnownResources, admits: Admits): Resource[] {
    const rows = new Map<string, { row: Omit<Resource, 'attributes'>; met: Met }>();
    for (const met of this.#met) {
      const { table, start, end, component } = met;
      const hash = known.hashOf(table.body, start, end);
      if (hash === null) continue;
      const name = `${hash} ${component.type.length} ${component.type}${component.id}`;
      const times = timesOf(met);
      const row = rows.get(name)?.row;
      if (row === undefined) {
        const { type: component_type, id: component_id } = component;
        rows.set(name, { row: { hash, component_type, component_id, ...times }, met });
        continue;
      }
      if (times.first_time < row.first_time) row.first_time = times.first_time;
      if (times.last_time > row.last_time) row.last_time = times.last_time;
    }
    const unknown: Resource[] = [];
    for (const [name, { row, met }] of rows) {
      if (known.has(tenant, row) || !admits('resource', name)) continue;
      unknown.push({ ...row, attributes: readResource(met.table.body.subarray(met.start, met.end)) });
    }
    return unknown;
  }

  #enter(envelope: number, component: number): void {
    this.#envelope = envelope;
    this.#component = component;
    const table = this.#table;
    const { resourceStart: start, resourceEnd: end } = table.envelopes[envelope]!;
    const key = start * table.components.length + component;
    let met = this.#ofTable.get(key);
    if (met === undefined) {
      met = {
        ...{ table, start, end, component: table.components[component]!, receivedAt: this.#receivedAt },
        ...{ firstHigh: NONE, firstLow: NONE, lastHigh: 0, lastLow: 0, isUntimed: false },
      };
      this.#ofTable.set(key, met);
      this.#met.push(met);
    }
    this.#last = met;
  }
}

/** A time before 2000 is that of a clock that was never set, or of a record that says none. */
const SET_CLOCK_HIGH = Number(946_684_800_000_000_000n >> 32n);
const NONE = 0xffff_ffff;

/** A resource in one request, and who spoke with it. */
interface Met {
  table: RecordTable;
  start: number;
  end: number;
  component: ComponentRef;
  receivedAt: bigint;
  /** NONE: no record says a time that can be. */
  firstHigh: number;
  firstLow: number;
  lastHigh: number;
  lastLow: number;
  /** Whether a record's time cannot be: it spoke when it arrived. */
  isUntimed: boolean;
}

function timesOf({ receivedAt, firstHigh, firstLow, lastHigh, lastLow, isUntimed }: Met) {
  if (firstHigh === NONE) return { first_time: receivedAt, last_time: receivedAt };
  const [first, last] = [pairOf(firstHigh, firstLow), pairOf(lastHigh, lastLow)];
  return {
    first_time: isUntimed && receivedAt < first ? receivedAt : first,
    last_time: isUntimed && receivedAt > last ? receivedAt : last,
  };
}
