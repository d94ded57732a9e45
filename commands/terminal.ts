/** How answers look in a terminal: tables, bars, times, and nothing of telemetry that a terminal would obey. */
import type { Paint } from './command.ts';

/**
 * One line without control characters and without what turns or hides text: what a service logs must not move the cursor, set the
 * window's title or forge the line above (CWE-150).
 */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

export function clipped(text: string, width: number): string {
  const line = plain(text);
  return [...line].length <= width ? line : `${[...line].slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** In lines of whole words that fit the terminal. @param indent of the lines after the first, which stands behind as many characters */
export function wrapped(text: string, paint: Paint, indent = 0): string {
  const width = Math.max((paint.width ?? Number.POSITIVE_INFINITY) - indent, WRAPPED_MIN);
  const lines = [''];
  for (const word of plain(text).split(' ')) {
    const line = lines.at(-1)!;
    if (line === '' || visible(line) + 1 + visible(word) <= width)
      lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}

/** A message behind its head, which may be painted, or below it where the line would not fit the terminal. */
export function headed(head: string, message: string, paint: Paint, indent = 0): string {
  const [blanks, line] = [' '.repeat(indent), plain(message)];
  if (indent + visible(head) + 1 + visible(line) <= (paint.width ?? Number.POSITIVE_INFINITY))
    return `${blanks}${head} ${line}`;
  return `${blanks}${head}\n${blanks}  ${wrapped(line, paint, indent + 2)}`;
}

export interface Column {
  title: string;
  /** Figures stand at the right. */
  right?: boolean;
  /** Gives way where the terminal is narrow; its cells are plain. One at most. */
  flexible?: boolean;
  /** Stands on a line of its own below, where the flexible one would become too short beside it. */
  below?: boolean;
}

/** @param rows of cells, each plain or painted  @returns lines, columns as wide as their widest cell, two blanks between */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], paint: Paint): string {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => visible(row[i] ?? ''))));
  const flexible = columns.findIndex((column) => column.flexible);
  const beside = [...columns.keys()];
  const excess = () =>
    beside.reduce((sum, i) => sum + widths[i]! + GAP.length, -GAP.length) - (paint.width ?? Number.POSITIVE_INFINITY);
  const below: number[] = [];
  if (flexible >= 0 && excess() > 0) {
    for (const i of columns.keys()) {
      if (!columns[i]!.below || widths[flexible]! - excess() >= FLEXIBLE_MIN) continue;
      below.push(...beside.splice(beside.indexOf(i), 1));
    }
    widths[flexible] = Math.max(Math.min(widths[flexible]!, widths[flexible]! - excess()), CLIPPED_MIN);
  }
  const line = (cells: readonly string[]) =>
    beside
      .map((i) => {
        const cell = i === flexible ? clipped(cells[i]!, widths[i]!) : cells[i]!;
        const gap = ' '.repeat(Math.max(0, widths[i]! - visible(cell)));
        return columns[i]!.right ? gap + cell : cell + (i === beside.at(-1) ? '' : gap);
      })
      .join(GAP)
      .trimEnd();
  const indent = ' '.repeat(
    beside.slice(0, beside.indexOf(flexible)).reduce((sum, i) => sum + widths[i]! + GAP.length, 0),
  );
  const linesOf = (cells: readonly string[]) =>
    below.length === 0 ? [line(cells)] : [line(cells), indent + below.map((i) => cells[i]!).join(GAP)];
  const head = line(columns.map(({ title }) => title));
  return [paint('dim', head), ...rows.flatMap(linesOf)].map((each) => `${each}\n`).join('');
}

const GAP = '  ';
/** What a title needs to be told from others. */
const FLEXIBLE_MIN = 40;
/** Where nothing else gives way. */
const CLIPPED_MIN = 20;
const WRAPPED_MIN = 20;

/** @param share 0 to 1 */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const rest = eighths % 8;
  return '█'.repeat(Math.floor(eighths / 8)) + (rest > 0 ? EIGHTHS[rest]! : '');
}

/** Where something lies in a whole. @param from, to 0 to 1 */
export function stretch(from: number, to: number, width: number): string {
  const start = Math.min(width - 1, Math.floor(from * width));
  const length = Math.max(1, Math.round((to - from) * width));
  return ' '.repeat(start) + '━'.repeat(Math.min(length, width - start));
}

export function time(rfc3339: string): string {
  return rfc3339.slice(11, 23);
}

export function duration(ms: number): string {
  if (ms >= 2 * DAY_MS) return `${(ms / DAY_MS).toFixed(1)} d`;
  if (ms >= 2 * HOUR_MS) return `${(ms / HOUR_MS).toFixed(1)} h`;
  if (ms >= 60_000) return `${(ms / 60_000).toFixed(1)} min`;
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${Number(ms.toPrecision(3))} ms`;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export function componentName(type: string, id: string): string {
  return plain(type === 'service' ? id : `${type}/${id}`);
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

export type Style = Parameters<Paint>[0];

export const STYLE_OF: Readonly<Record<string, Style>> = {
  healthy: 'green',
  degraded: 'yellow',
  unhealthy: 'red',
  unknown: 'dim',
  info: 'dim',
  warning: 'yellow',
  critical: 'red',
  WARNING: 'yellow',
  ERROR: 'red',
  CRITICAL: 'red',
  DEBUG: 'dim',
  TRACE: 'dim',
  failed: 'red',
  completed: 'green',
};

/** Of a word that is a status, a severity or a level. */
export function painted(paint: Paint, word: string, text = word): string {
  const style = STYLE_OF[word];
  return style === undefined ? text : paint(style, text);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the colours that paint puts in
const COLOURS = /\u001b\[\d+m/g;

function visible(cell: string): number {
  return [...cell.replace(COLOURS, '')].length;
}
