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

export interface Column {
  title: string;
  /** Figures stand at the right. */
  right?: boolean;
}

/** @param rows of cells, each plain or painted  @returns lines, columns as wide as their widest cell, two blanks between */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], paint: Paint): string {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => visible(row[i] ?? ''))));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const gap = ' '.repeat(Math.max(0, widths[i]! - visible(cell)));
        return columns[i]!.right ? gap + cell : cell + (i === cells.length - 1 ? '' : gap);
      })
      .join('  ')
      .trimEnd();
  const head = line(columns.map(({ title }) => title));
  return [paint('dim', head), ...rows.map(line)].map((each) => `${each}\n`).join('');
}

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
  if (ms >= 60_000) return `${(ms / 60_000).toFixed(1)} min`;
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${Number(ms.toPrecision(3))} ms`;
}

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
