/** A thread that answers questions, one after the other: the side that asks, and in the thread's script the side that answers. */
import { parentPort, Worker } from 'node:worker_threads';
import { DebugError, type ErrorCode, type FieldError } from './errors.ts';

export interface Thread<Question, Answer> {
  /**
   * What is asked and answered is copied (structured clone).
   * @throws DebugError as it was thrown there, else an Error with its message; UNAVAILABLE where the thread ended: the next question starts another
   */
  ask(question: Question): Promise<Answer>;
  /** Ends it, and a question under way with it; the next one starts another. Resolves when the thread is gone. */
  end(): Promise<void>;
}

/** What is published is JavaScript; from the sources Node takes TypeScript as it is. */
const BUILT = import.meta.url.endsWith('.js');

/**
 * Started by the first question; keeps no process from ending.
 * @param name as errors call it
 * @param script its TypeScript, of which the last line calls {@link serveThread}; once built, what was made of it beside
 * @param data what the script finds in `workerData`
 */
export function createThread<Question, Answer>(name: string, script: URL, data?: unknown): Thread<Question, Answer> {
  let worker: Worker | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function start(): Worker {
    const started = new Worker(BUILT ? new URL(script.href.replace(/\.ts$/, '.js')) : script, { workerData: data });
    started.unref();
    const ended = () => {
      if (worker === started) worker = undefined;
    };
    started.once('error', ended).once('exit', ended);
    return started;
  }

  async function askNow(question: Question): Promise<Answer> {
    worker ??= start();
    const asked = worker;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const answered = (said: Said<Answer>) => {
      if ('answer' in said) return resolve(said.answer);
      if (said.ends && worker === asked) worker = undefined;
      reject(errorOf(said.failed));
    };
    const failed = (cause: unknown) => reject(new DebugError('UNAVAILABLE', `${name} failed`, { cause }));
    const ended = () => reject(new DebugError('UNAVAILABLE', `${name} has ended`));
    asked.once('message', answered).once('error', failed).once('exit', ended);
    asked.ref();
    asked.postMessage(question);
    try {
      return await promise;
    } finally {
      asked.off('message', answered).off('error', failed).off('exit', ended);
      asked.unref(); // waiting for a question is no reason for a process to stay
    }
  }

  return {
    ask(question) {
      const answer = last.then(() => askNow(question));
      last = answer.catch(() => {});
      return answer;
    },
    async end() {
      await worker?.terminate();
    },
  };
}

/**
 * In the thread: answers what the other side asks.
 * @param ready what has to be there before; where it fails the first question is answered with that, and the thread ends
 */
export function serveThread<Question, Answer>(
  answer: (question: Question) => Answer | Promise<Answer>,
  ready: Promise<unknown> = Promise.resolve(),
): void {
  const port = parentPort!;
  ready.catch(() => {}); // told to who asks
  port.on('message', async (question: Question) => {
    try {
      await ready;
    } catch (error) {
      port.postMessage({ failed: plain(error), ends: true } satisfies Said<Answer>);
      port.close();
      return;
    }
    let said: Said<Answer>;
    try {
      said = { answer: await answer(question) };
    } catch (error) {
      said = { failed: plain(error), ends: false };
    }
    port.postMessage(said);
  });
}

type Said<Answer> = { answer: Answer } | { failed: Failure; ends: boolean };

/** An error as it can be copied: what it carries besides may be anything. */
interface Failure {
  message: string;
  stack: string | undefined;
  debug?: { code: ErrorCode; reason?: string; fields: readonly FieldError[]; retryAfterSeconds?: number };
}

function plain(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined };
  const { message, stack } = error;
  if (!(error instanceof DebugError)) return { message, stack };
  const { code, reason, fields, retryAfterSeconds } = error;
  return {
    ...{ message, stack },
    debug: {
      ...{ code, fields },
      ...(reason !== undefined && { reason }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    },
  };
}

function errorOf({ message, stack, debug }: Failure): Error {
  const error = debug === undefined ? new Error(message) : new DebugError(debug.code, message, debug);
  return stack === undefined ? error : Object.assign(error, { stack });
}
