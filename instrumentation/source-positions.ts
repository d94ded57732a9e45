import { readFileSync, statSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Attributes } from '@opentelemetry/api';
import type { LogRecordProcessor, ReadWriteLogRecord } from '@opentelemetry/sdk-logs';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import {
  ATTR_CODE_COLUMN_NUMBER,
  ATTR_CODE_FILE_PATH,
  ATTR_CODE_FUNCTION_NAME,
  ATTR_CODE_LINE_NUMBER,
  ATTR_EXCEPTION_STACKTRACE,
} from '@opentelemetry/semantic-conventions';

/**
 * Lets the stack of every recorded exception point into the sources, where a bundler or TypeScript has left a source map in or beside
 * the file, and puts the first frame of the app's own code into `code.*`. What Node prints stays as it is. (Under
 * `--enable-source-maps` Node has mapped the stack already, and there is nothing left to do.) Stands before the exporting processor.
 */
export class SourcePositions implements SpanProcessor, LogRecordProcessor {
  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    for (const { attributes } of span.events) {
      const stack = attributes?.[ATTR_EXCEPTION_STACKTRACE];
      if (typeof stack === 'string')
        Object.assign(attributes!, { ...positionsOf(stack), ...attributes, ...stackOf(stack) });
    }
  }

  onEmit(record: ReadWriteLogRecord): void {
    const stack = record.attributes[ATTR_EXCEPTION_STACKTRACE];
    if (typeof stack !== 'string') return;
    record.setAttributes({ ...positionsOf(stack), ...record.attributes, ...stackOf(stack) });
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

function stackOf(stack: string): Attributes {
  return { [ATTR_EXCEPTION_STACKTRACE]: mapped(stack).text };
}

function positionsOf(stack: string): Attributes {
  return mapped(stack).code;
}

interface Mapped {
  text: string;
  code: Attributes;
}

/** The last one: a log record and the span that it is in mostly tell of the same exception, and each asks twice. */
let last: { stack: string; mapped: Mapped } | undefined;

function mapped(stack: string): Mapped {
  if (last?.stack !== stack) last = { stack, mapped: map(stack) };
  return last.mapped;
}

/** `    at fn (/app/x.js:1:2)`, `    at async file:///app/x.js:1:2`: what is before the place, the function, the place. */
const FRAME = /^(\s+at (?:(.+) \()?(?:async )?)(file:\/\/.+|\/.+|[A-Za-z]:[\\/].+):(\d+):(\d+)(\)?)$/;
/** A stack that is longer was asked for (`Error.stackTraceLimit`); Node's own has 10 frames. */
const FRAMES_MAX = 50;

function map(stack: string): Mapped {
  const code: Attributes = {};
  const lines = stack.split('\n');
  for (let i = 0, frames = 0; i < lines.length && frames < FRAMES_MAX; i++) {
    const [, before, called, place, line, column, after] = FRAME.exec(lines[i]!) ?? [];
    if (place === undefined) continue;
    frames++;
    const position = sourceOf(pathOf(place), Number(line), Number(column));
    if (position.isMapped) lines[i] = `${before}${position.path}:${position.line}:${position.column}${after}`;
    if (code[ATTR_CODE_FILE_PATH] !== undefined || /[\\/]node_modules[\\/]/.test(position.path)) continue;
    code[ATTR_CODE_FILE_PATH] = position.path;
    code[ATTR_CODE_LINE_NUMBER] = position.line;
    code[ATTR_CODE_COLUMN_NUMBER] = position.column;
    const name = called?.replace(/^async /, '');
    if (name !== undefined) code[ATTR_CODE_FUNCTION_NAME] = name;
  }
  return { text: lines.join('\n'), code };
}

function pathOf(place: string): string {
  if (!place.startsWith('file:')) return place;
  try {
    return fileURLToPath(place);
  } catch {
    return place;
  }
}

interface Position {
  path: string;
  line: number;
  column: number;
  isMapped: boolean;
}

/** @param line counted from 1, as is `column` */
function sourceOf(path: string, line: number, column: number): Position {
  const found = sourceMapOf(path);
  if (found !== undefined) {
    const entry = found.map.findEntry(line - 1, column - 1);
    if ('originalSource' in entry && entry.originalSource) {
      const { originalSource, originalLine, originalColumn } = entry;
      const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(originalSource); // webpack://app/src/x.ts
      const source = isUrl ? pathOf(originalSource) : resolve(found.base, originalSource);
      return { path: source, line: originalLine + 1, column: originalColumn + 1, isMapped: true };
    }
  }
  return { path, line, column, isMapped: false };
}

interface FoundMap {
  map: SourceMap;
  /** What its sources are relative to. */
  base: string;
}

/** Files are read while the app waits, on the first error out of each. A larger one or its map is not worth the wait. */
const BYTES_MAX = 8 << 20;
const FILES_MAX = 200;
const maps = new Map<string, FoundMap | undefined>();

function sourceMapOf(path: string): FoundMap | undefined {
  if (maps.has(path)) return maps.get(path);
  if (maps.size >= FILES_MAX) maps.delete(maps.keys().next().value!);
  let found: FoundMap | undefined;
  try {
    found = readSourceMap(path);
  } catch {}
  maps.set(path, found);
  return found;
}

const LINK = '//# sourceMappingURL=';
const INLINE = /^data:application\/json[^,]*;base64,/;

function readSourceMap(path: string): FoundMap | undefined {
  const text = readBounded(path);
  const at = text?.lastIndexOf(LINK) ?? -1;
  if (text === undefined || at < 0) return undefined;
  const link = text
    .slice(at + LINK.length)
    .split('\n', 1)[0]!
    .trim();
  const inline = INLINE.exec(link);
  const file = inline ? path : join(dirname(path), decodeURIComponent(link));
  const json = inline ? Buffer.from(link.slice(inline[0].length), 'base64').toString() : readBounded(file);
  if (json === undefined) return undefined;
  const payload = JSON.parse(json);
  return { map: new SourceMap(payload), base: resolve(dirname(file), payload.sourceRoot ?? '') };
}

function readBounded(path: string): string | undefined {
  return statSync(path).size <= BYTES_MAX ? readFileSync(path, 'utf8') : undefined;
}
