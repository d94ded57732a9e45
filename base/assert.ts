/** Asserts what only our own mistake can break. Bad input is never asserted: it has an error of its own (errors.ts). */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export class AssertionError extends Error {
  override name = 'AssertionError';
}
