/**
 * Where in the code an event points, so that a coding agent can open the file: `code.*` attributes (OpenTelemetry semantic conventions, old
 * and new names), else the stack that came with an exception, in the forms of Node, Python, Java, Go, .NET, Rust, Ruby and PHP. Frames of
 * runtimes and packages are left out: the cause is seldom there, and it is not theirs to mend.
 */
import type { DebugEvent } from '../model/event.ts';
import type { Suggestion } from '../model/insight.ts';
import { textAt } from './event-facts.ts';
import { stackOf } from './structured-body.ts';

export interface CodePointer {
  /** As the runtime tells it; of Java the package as folders. */
  file: string;
  line: number | null;
  function: string | null;
}

/** @returns the innermost call first, at most five, each place once */
export function codePointersOf(event: DebugEvent): CodePointer[] {
  const pointers = framesOf(stackOf(event));
  const told = toldBy(event);
  if (told !== null) pointers.push(told);
  const byPlace = new Map(pointers.reverse().map((pointer) => [`${pointer.file}:${pointer.line}`, pointer]));
  return [...byPlace.values()].reverse().slice(0, POINTERS_MAX);
}

/** What the first of some events that points anywhere does, as evidence and as advice; empty where none does. */
export function codeOf(events: readonly DebugEvent[]): {
  numbers: { code?: CodePointerJson[] };
  suggestions: Suggestion[];
} {
  for (const event of events) {
    const pointers = codePointersOf(event);
    const [first] = pointers;
    if (first === undefined) continue;
    const at = `${first.file}${first.line === null ? '' : `:${first.line}`}`;
    const why = `${stackOf(event) === '' ? 'the record' : 'the stack of the first error'} points there`;
    const action = first.function === null ? `Open ${at}` : `Open ${at}, ${first.function}`;
    return {
      numbers: { code: pointers.map((each) => ({ ...each })) },
      suggestions: [{ action, why, source: 'known_cause' }],
    };
  }
  return { numbers: {}, suggestions: [] };
}

type CodePointerJson = { file: string; line: number | null; function: string | null };

const POINTERS_MAX = 5;
// What follows is repeated calls of frameworks; a hostile stack must not cost more than that.
const STACK_CHARS_MAX = 16_000;
const LINES_MAX = 200;
const LINE_CHARS_MAX = 400;

function toldBy(event: DebugEvent): CodePointer | null {
  const file = textAt(event, 'code.file.path') ?? textAt(event, 'code.filepath');
  if (file === undefined || isForeign(file, '')) return null;
  const line = Number(event.data['code.line.number'] ?? event.data['code.lineno']);
  const space = textAt(event, 'code.namespace');
  const name = textAt(event, 'code.function.name') ?? textAt(event, 'code.function') ?? null;
  const isWhole = name === null || space === undefined || name.includes(space);
  return {
    file,
    line: Number.isInteger(line) && line > 0 ? line : null,
    function: isWhole ? name : `${space}.${name}`,
  };
}

function framesOf(stack: string): CodePointer[] {
  const lines = stack.slice(0, STACK_CHARS_MAX).split('\n', LINES_MAX);
  const frames: CodePointer[] = [];
  // Java and .NET tell the cause after what it caused, Python before it, and the innermost call of Python last.
  let isPython = false;
  let block: CodePointer[] = [];
  const blocks = [block];
  for (const [i, line] of lines.entries()) {
    if (line.length > LINE_CHARS_MAX) continue;
    if (CAUSED_BY.test(line)) blocks.push((block = []));
    if (line.startsWith('Traceback')) {
      isPython = true;
      if (block.length > 0) blocks.push((block = []));
    }
    const frame = frameIn(line, lines[i - 1] ?? '');
    if (frame !== null && !isForeign(frame.file, frame.function ?? '')) block.push(frame);
  }
  const isCauseFirst = lines.some((line) => line.startsWith('The above exception was the direct cause'));
  if (!isPython || !isCauseFirst) blocks.reverse();
  for (const each of blocks) frames.push(...(isPython ? each.reverse() : each));
  return frames;
}

const CAUSED_BY = /^\s*(?:Caused by:|---> |\[cause\]:|\[errors\]:)/;

function frameIn(line: string, above: string): CodePointer | null {
  for (const { pattern, order } of FRAMES) {
    const match = pattern.exec(line);
    if (match === null) continue;
    const part = (name: 'file' | 'line' | 'function') => match.groups?.[name];
    const called = order === 'above' ? /^([^\s(][^(]*(?:\(\*?\w+\))?[^(]*)\(/.exec(above)?.[1] : part('function');
    const method = called?.replace(/^async /, '').trim();
    const file = part('file')!.replace(/^file:\/\//, '');
    return {
      file: order === 'package' ? inPackage(method ?? '', file) : file,
      line: Number(part('line')),
      function: method === undefined || method === '' || method === '<anonymous>' ? null : method,
    };
  }
  return null;
}

/** The more specific first. */
const FRAMES: readonly { pattern: RegExp; order?: 'above' | 'package' }[] = [
  // .NET
  { pattern: /^\s*at (?<function>[^()\s]+)\([^)]*\) in (?<file>.+):line (?<line>\d+)\s*$/ },
  // Java, Kotlin, Scala
  { pattern: /^\s*at (?:[\w.@-]+\/+)?(?<function>[\w.$<>]+)\((?<file>[\w$-]+\.\w+):(?<line>\d+)\)/, order: 'package' },
  // Node, browsers
  { pattern: /^\s*at (?<function>[^()]+?) \((?<file>[^()]+):(?<line>\d+):\d+\)\s*$/ },
  { pattern: /^\s*at (?:async )?(?<file>[^()\s]+):(?<line>\d+):\d+\s*$/ },
  { pattern: /^(?<function>[\w.$/<]*)@(?<file>\S+):(?<line>\d+):\d+\s*$/ },
  // Python
  { pattern: /^\s*File "(?<file>[^"]+)", line (?<line>\d+)(?:, in (?<function>.+))?/ },
  // Go
  { pattern: /^\s+(?<file>\S+\.go):(?<line>\d+)(?: \+0x[0-9a-f]+)?\s*$/, order: 'above' },
  // PHP
  { pattern: /^#\d+ (?<file>[^()]+)\((?<line>\d+)\): (?<function>[\w\\:>-]+)/ },
  // Ruby
  { pattern: /^\s*(?:from )?(?<file>[^\s:]+\.rb):(?<line>\d+):in [`'](?<function>[^']+)'/ },
];

function inPackage(method: string, file: string): string {
  const parts = method.split('.').slice(0, -1);
  const folders = parts.slice(
    0,
    Math.max(
      parts.findIndex((part) => /^[A-Z]/.test(part)),
      0,
    ),
  );
  return [...folders, file].join('/');
}

function isForeign(file: string, method: string): boolean {
  return FOREIGN_FILE.test(file) || FOREIGN_METHOD.test(method);
}

const FOREIGN_FILE =
  /^(?:node:|internal\/|<|\[|native$)|(?:^|\/)(?:node_modules|site-packages|dist-packages|vendor|gems|\.cargo|rustc|webpack\/bootstrap|_work)\/|\/(?:lib\/python[\d.]+|usr\/lib|usr\/local\/go\/src|go\/src\/runtime|pkg\/mod)\/|(?:^|\/)go\/pkg\//;
const FOREIGN_METHOD =
  /^(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|org\.(?:springframework|apache|hibernate|eclipse|jboss|postgresql|junit)|io\.(?:netty|grpc|opentelemetry|micrometer|quarkus|vertx|undertow)|com\.(?:fasterxml|zaxxer|mysql|google\.common)|reactor|akka|System|Microsoft|runtime|net\/http|core|std|alloc|tokio)[.:/]/;
