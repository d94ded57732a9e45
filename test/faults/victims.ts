/** Starts processes to be killed; one is always loaded ahead, since loading takes longer than a life. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Addresses } from '../../collector.ts';
import type { JournalPoint } from '../../receiver/journal.ts';
import type { Order, Report } from './victim.ts';

export interface Victim {
  readonly pid: number;
  /** Resolves when it listens; null when it was killed before. @throws when it says that it cannot start, or takes too long */
  readonly up: Promise<Addresses | null>;
  /** Whoever ended it. */
  readonly ended: Promise<void>;
  readonly dead: boolean;
  killAt(point: JournalPoint, times: number): void;
  kill(): void;
  /** SIGTERM, and until it has ended. @returns its exit code, or the signal that it did not survive */
  stop(): Promise<number | NodeJS.Signals>;
}

export interface Victims {
  start(flags: Record<string, string>): Promise<Victim>;
  stop(): Promise<void>;
}

// On a machine where eight worlds share what others leave of two cores; what hangs for good is found all the same.
const START_MS_MAX = 180_000;

/**
 * @param compileCache folder in which the processes share what was compiled: without it each compiles everything anew
 * @param built whether they run what lies in dist/
 */
export function createVictims(compileCache: string, logLevel = 'silent', built = false): Victims {
  const children = new Set<ChildProcess>();
  let ahead: Promise<ChildProcess> | undefined;

  async function load(): Promise<ChildProcess> {
    const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('DEBUG_'));
    const child = fork(join(import.meta.dirname, 'victim.ts'), built ? ['--built'] : [], {
      env: { ...Object.fromEntries(environment), NODE_COMPILE_CACHE: compileCache },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    children.add(child);
    child.on('error', () => {}); // a message that it did not live to read
    child.once('exit', () => children.delete(child));
    let printed = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-4096);
      if (logLevel !== 'silent') process.stderr.write(text);
    });
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', () => reject(new Error(`a process to be killed could not be loaded\n${printed}`)));
    });
    return child;
  }

  return {
    async start(flags) {
      const child = await (ahead ?? load());
      ahead = load();
      ahead.catch(() => {}); // thrown where it is awaited
      return new RunningVictim(child, flags, logLevel);
    },
    async stop() {
      await ahead?.catch(() => {});
      const ended = [...children].map((child) => once(child, 'exit'));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(ended);
    },
  };
}

class RunningVictim implements Victim {
  readonly up: Promise<Addresses | null>;
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, flags: Record<string, string>, logLevel: string) {
    this.#child = child;
    this.ended = once(child, 'exit').then(() => {});
    this.up = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not up after ${START_MS_MAX} ms`)), START_MS_MAX);
      child.once('message', (report: Report) => {
        clearTimeout(late);
        if ('up' in report) resolve(report.up);
        else reject(new Error(`could not start: ${JSON.stringify(report)}`));
      });
      child.once('exit', (code) => {
        clearTimeout(late);
        if (code === null) resolve(null);
        else reject(new Error(`ended by itself with ${code} while starting`));
      });
    });
    this.up.catch(() => {}); // thrown where it is awaited
    this.#order({ start: flags, logLevel });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get dead(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  killAt(killAt: JournalPoint, times: number): void {
    this.#order({ killAt, times });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async stop(): Promise<number | NodeJS.Signals> {
    this.#child.kill('SIGTERM');
    await this.ended;
    return this.#child.exitCode ?? this.#child.signalCode!;
  }

  #order(order: Order): void {
    if (this.#child.connected) this.#child.send(order, () => {});
  }
}
