/** What a bench prints: Markdown, which reads as well in a terminal, so that docs/performance.md is what a run printed. */
export type Cell = string | number | null;

export function printTable(title: string, columns: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const cells = rows.map((row) => row.map(textOf));
  const widths = columns.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((text, i) => text.padEnd(widths[i]!)).join(' | ')} |`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  console.log([`\n### ${title}\n`, line(columns), rule, ...cells.map(line)].join('\n'));
}

/** Three digits that count. */
function textOf(cell: Cell): string {
  if (cell === null || Number.isNaN(cell)) return '–';
  if (typeof cell === 'string') return cell;
  return cell >= 100 ? Math.round(cell).toLocaleString('en') : cell.toPrecision(3);
}
