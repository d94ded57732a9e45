/** Who wants to know when an operation ends. Process-wide, as the ES module and its CommonJS twin are two copies of this file. */
const LISTENERS = Symbol.for('ai-debug.instrumentation.operation-end');

type Listener = (operationId: string) => void;

export function onOperationEnd(listener: Listener): () => void {
  listeners().add(listener);
  return () => void listeners().delete(listener);
}

export function operationEnded(operationId: string): void {
  for (const listener of listeners()) listener(operationId);
}

/** Calls `operationEnded` when what a function returned is done, and returns it. */
export function untilDone<T>(operationId: string, result: T): T {
  if (listeners().size === 0) return result;
  if (typeof (result as { then?: unknown } | undefined)?.then !== 'function') {
    operationEnded(operationId);
    return result;
  }
  const ended = (): void => operationEnded(operationId);
  // Beside the promise, not in its place: the caller keeps its own, with whatever methods it has.
  (result as unknown as Promise<unknown>).then(ended, ended);
  return result;
}

function listeners(): Set<Listener> {
  const global = globalThis as { [LISTENERS]?: Set<Listener> };
  global[LISTENERS] ??= new Set();
  return global[LISTENERS];
}
