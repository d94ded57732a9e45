import { withOperation } from './correlation.ts';

// biome-ignore lint/suspicious/noExplicitAny: as wide as any function
type Fn = (this: any, ...args: any[]) => unknown;

/**
 * Makes every call of a function an operation: `const ship = operation((order) => `order-${order.id}`)(async (order) => …)`. The same
 * thing before a method is a decorator: `@operation((order) => …) async ship(order) { … }`.
 *
 * @param idOf what the operation is called, from the arguments of the call; a text where it is always the same
 */
export function operation<F extends Fn>(
  idOf: string | ((...args: Parameters<F>) => string),
): (fn: F, decorated?: ClassMethodDecoratorContext) => F {
  return (fn) =>
    function (this: unknown, ...args: Parameters<F>) {
      return withOperation(typeof idOf === 'string' ? idOf : nameFrom(idOf, args), () => fn.apply(this, args));
    } as F;
}

/** A name that cannot be had costs the name, never the work. */
function nameFrom<A extends unknown[]>(idOf: (...args: A) => string, args: A): string {
  try {
    return String(idOf(...args) ?? '');
  } catch {
    return '';
  }
}
