/** Runs a command of the program in this process, on streams that write down what it says. */
import { WriteStream } from 'node:tty';
import { systemClock } from '../../base/clock.ts';
import { type Command, runCommand } from '../../commands/command.ts';

export interface Ran {
  code: number;
  out: string;
  err: string;
}

export interface RunOptions {
  /** Whether both streams are terminals, of 16 million colours unless the environment says otherwise. */
  tty: boolean;
  /** Of the terminal. */
  environment: Record<string, string>;
  /** Characters in a line of the terminal. */
  columns: number;
  signal: AbortSignal;
  /** Told of all that it says, as it says it. */
  hear(text: string): void;
  url: string;
}

export async function run(command: Command, args: string[], options: Partial<RunOptions> = {}): Promise<Ran> {
  const { tty = false, environment = {}, columns = 120, signal = new AbortController().signal } = options;
  const ran: Ran = { code: -1, out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    ...(tty && {
      isTTY: true,
      columns,
      getColorDepth: () =>
        WriteStream.prototype.getColorDepth({ TERM: 'xterm', COLORTERM: 'truecolor', ...environment }),
    }),
    write(text: string | Uint8Array) {
      ran[name] += String(text);
      options.hear?.(String(text));
      return true;
    },
  });
  const context = { stdout: stream('out'), stderr: stream('err'), signal, clock: systemClock(), entry: '' };
  ran.code = await runCommand('test', command, context, args);
  return ran;
}
