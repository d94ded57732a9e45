/**
 * Work stops when nobody waits for its answer. A face runs a question within a signal; every read of the store that the question makes
 * looks at it first. So the answers in between need not pass it on, and a question that was given up costs one page at most.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ColumnReader, EventReader } from '../storage/query.ts';

const waiting = new AsyncLocalStorage<AbortSignal | undefined>();

/** @throws whatever the signal was aborted with, from the next read on */
export function within<T>(signal: AbortSignal, question: () => T): T {
  return waiting.run(signal, question);
}

/** Work that others wait for as well: whoever began it may leave. */
export function forEverybody<T>(work: () => T): T {
  return waiting.run(undefined, work);
}

/** A reader that stops for the question that it reads for. */
export function cancellable<Reader extends EventReader & ColumnReader>(reader: Reader): Reader {
  const stop = () => waiting.getStore()?.throwIfAborted();
  return {
    ...reader,
    async events(query) {
      stop();
      return reader.events(query);
    },
    async event(tenant, id) {
      stop();
      return reader.event(tenant, id);
    },
    async scan(query, visit) {
      stop();
      return reader.scan(query, (index, position) => {
        if (position === 0) stop();
        visit(index, position);
      });
    },
  };
}
