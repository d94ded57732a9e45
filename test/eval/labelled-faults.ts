/** The layout of labelled faults: their labels, their files, and when a named region is the one that was broken. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { timesOf } from '../../commands/otlp-lines.ts';
import { formatNanos } from '../../model/time.ts';

export interface LabelledFault {
  case: string;
  root_cause_service: string;
  fault_type: string;
  /** `A_B`: the log statements around the broken code, or the name of a metric. */
  inner: string;
}

export function filesOf(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

/** From the first to the last time in the lines, as RFC 3339, moved. */
export function spanOf(lines: readonly string[], byNanos: bigint): { start: string; end: string } {
  let start: bigint | null = null;
  let end: bigint | null = null;
  for (const line of lines) {
    for (const time of timesOf(line)) {
      if (start === null || time < start) start = time;
      if (end === null || time > end) end = time;
    }
  }
  return { start: formatNanos(start! + byNanos), end: formatNanos(end! + byNanos) };
}

/** What was said of a component. */
interface Told {
  region: { kind: string; name: string };
  reasons: string[];
}

export function matchesRegion({ region, reasons }: Told, inner: string): boolean {
  const told = `${region.name}\n${reasons[0] ?? ''}`;
  const statements = inner.split('_');
  if (statements.length === 2) return statements.some((statement) => hasStatement(told, statement));
  if (region.kind === 'connection') return /network/i.test(inner);
  const resource = /cpu|memory|disk|network/i.exec(inner)?.[0].toLowerCase();
  return region.kind === 'resource' && resource !== undefined && region.name.toLowerCase().includes(resource);
}

/** `A#3` is not in `A#31`. */
function hasStatement(text: string, statement: string): boolean {
  return new RegExp(`${RegExp.escape(statement)}(?!\\d)`).test(text);
}
