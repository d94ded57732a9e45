/** Reads labelled data: OTLP/JSON bodies, one a line, gzipped; and CSV as spreadsheets write it. */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { NoData } from './evaluation.ts';

/** @throws NoData */
export function demandFolder(folder: string): void {
  if (!existsSync(folder)) throw new NoData(`no labelled data at ${folder}`);
}

/** Export request bodies in the order of the file. */
export function readBodies(path: string): unknown[] {
  return readLines(path).map((line) => JSON.parse(line));
}

/** The lines of a gzipped file, without empty ones. */
export function readLines(path: string): string[] {
  return gunzipSync(readFileSync(path))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** Rows by column name. Quoted fields may hold commas, quotes and line breaks (RFC 4180). */
export function readCsv(path: string): Record<string, string>[] {
  const [header, ...rows] = parseCsv(readFileSync(path, 'utf8'));
  return rows.map((row) => Object.fromEntries(header!.map((name, i) => [name, row[i] ?? ''])));
}

export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain, end] of text.matchAll(FIELD)) {
    row.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
    if (end === '') break;
  }
  return rows;
}

const FIELD = /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g;
