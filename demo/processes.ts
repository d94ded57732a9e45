/** Other programs as children of this one: started, waited for, and stopped again by their process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Program {
  /** As it appears in errors. */
  name: string;
  /** What Node is given: its flags, the file, the file's arguments. */
  args: readonly string[];
  cwd?: string;
  /** Variables to add; those that begin like one of `hide` are not inherited. */
  environment?: Readonly<Record<string, string>>;
  hide: RegExp;
  /** What it prints on stdout once it is ready. */
  ready: RegExp;
}

export interface RunningProgram {
  /** The line that said that it is ready, as matched. */
  readonly said: RegExpExecArray;
  readonly pid: number;
  /** SIGTERM, and SIGKILL when it has not ended after five seconds. Idempotent. */
  stop(): Promise<void>;
}

/** @throws Error with what it printed, when it ends or half a minute passes before it is ready */
export async function startProgram({ name, args, cwd, environment, hide, ready }: Program): Promise<RunningProgram> {
  const inherited = Object.entries(process.env).filter(([variable]) => !hide.test(variable));
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...environment },
    // Nothing is written to its stdin: that it closes tells the child that its owner is gone.
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A child that ends with its end of the pipe unread resets it; 'exit' tells the same.
  child.stdin.on('error', () => {});
  const printed = new Tail();
  child.stderr.setEncoding('utf8').on('data', (text: string) => printed.add(text));
  try {
    return { said: await readiness(child, ready), pid: child.pid!, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw new Error(`${name} ${(error as Error).message}\n${printed.text}`.trim());
  }
}

const READY_MS = 30_000;
const STOP_MS = 5_000;
const OUTPUT_CHARS_MAX = 64 * 1024;

function readiness(child: ChildProcess, ready: RegExp): Promise<RegExpExecArray> {
  const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
  const timer = setTimeout(() => reject(new Error('did not get ready')), READY_MS);
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    // Read to the end of its life, or it would stand still once the pipe is full.
    if (output.length > OUTPUT_CHARS_MAX) return;
    output += text;
    const said = ready.exec(output);
    if (said !== null) resolve(said);
  });
  child.once('error', (error) => reject(new Error(`could not be started: ${error.message}`)));
  child.once('exit', (code, signal) => reject(new Error(`ended with ${signal ?? `exit code ${code}`}`)));
  return promise.finally(() => clearTimeout(timer));
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const late = new AbortController();
  await Promise.race([ended, sleep(STOP_MS, undefined, { signal: late.signal }).then(() => child.kill('SIGKILL'))]);
  late.abort();
  await ended;
}

/** The last of what somebody printed. */
class Tail {
  text = '';

  add(more: string): void {
    this.text = (this.text + more).slice(-4096);
  }
}
