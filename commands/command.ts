/** What a command of the program is: arguments in, an exit code out. cli.ts picks one by name and gives it the process. */
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { Clock } from '../base/clock.ts';

export type Command = (context: CommandContext, args: string[]) => Promise<number>;

export interface CommandContext {
  /** The answer: text for people, or one JSON document with `--json`. */
  readonly stdout: Output;
  /** Progress and complaints. */
  readonly stderr: Output;
  /** Aborted by the first SIGINT or SIGTERM. The command then stops what it started and returns. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** How to run this program again, in another process: the entry file that Node is given. */
  readonly entry: string;
}

export interface Output extends Pick<Writable, 'write'> {
  readonly isTTY?: boolean;
  /** Characters in a line, of a terminal. */
  readonly columns?: number;
  /** Colours that the terminal shows; Node counts NO_COLOR and FORCE_COLOR in. Absent where it is no terminal. */
  getColorDepth?(): number;
}

/** CONTRACT section 8. */
export const EXIT = { ok: 0, trouble: 1, usage: 2, unreachable: 3 } as const;

/** The arguments make no sense: said on stderr with a hint at `--help`, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Nobody answers where somebody should: exit code 3. */
export class UnreachableError extends Error {
  override name = 'UnreachableError';
}

/** Runs a command and turns what it throws into its exit code and one line for people. */
export async function runCommand(
  name: string,
  command: Command,
  context: CommandContext,
  args: string[],
): Promise<number> {
  try {
    return await command(context, args);
  } catch (error) {
    if (context.signal.aborted) return EXIT.trouble;
    const usage = error instanceof UsageError || isParseArgsError(error);
    const hint = usage ? ` (ai-debug ${name} --help)` : '';
    context.stderr.write(`ai-debug ${name}: ${error instanceof Error ? error.message : String(error)}${hint}\n`);
    if (usage) return EXIT.usage;
    return error instanceof UnreachableError ? EXIT.unreachable : EXIT.trouble;
  }
}

/** Reads an option that must be a number. @param least inclusive  @throws UsageError that names the option */
export function numberOption(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < least) {
    throw new UsageError(`--${name} takes a number from ${least}, not '${text}'`);
  }
  return value;
}

/** Reads an option that must be an http(s) URL; a trailing slash is dropped. @throws UsageError that names the option */
export function urlOption(name: string, text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`--${name} takes an http(s) URL, not '${text}'`);
  return text.replace(/\/+$/, '');
}

/** Marks up text for a terminal; the identity where colours are not wanted. */
export interface Paint {
  (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', text: string): string;
  /** Characters in a line of the terminal; absent where there is none, and nothing needs to fit. */
  readonly width?: number | undefined;
}

export function painter(output: Output): Paint {
  const colours = output.isTTY === true && (output.getColorDepth?.() ?? 1) > 1;
  const paint: Paint = colours ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
  return Object.assign(paint, { width: output.isTTY === true ? output.columns : undefined });
}

function isParseArgsError(error: unknown): boolean {
  return error instanceof TypeError && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS_');
}
