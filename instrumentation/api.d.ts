/**
 * The types of `@ai-debug/instrumentation`, written by hand because both module systems need a file of their own without
 * a compiler in between. `api.test.ts` holds them to the code.
 */

export interface SnapshotOptions {
  /** The named moment, as in `after-reserve`: snapshots of one checkpoint are compared across replicas and runs. */
  checkpoint?: string;
  /** `full` (default): all of the state; `partial`: some keys of it; `incremental`: what changed since the last one. */
  type?: 'full' | 'incremental' | 'partial';
  /** Default: the operation that is running. */
  operationId?: string;
  /** Whose state it is, if not the service's: `agent`, `workflow`, `browser`, `service`, `system` or another slug. */
  componentType?: string;
  componentId?: string;
}

/**
 * Records the state of something at a moment, to be compared over time and across replicas. A name tells several states
 * of one component apart. The state is copied now, bounded, as structure; one that is not an object is recorded as
 * `{ value }`. Never throws.
 */
export function snapshot(state: object, options?: SnapshotOptions): void;
export function snapshot(name: string | undefined, state: unknown, options?: SnapshotOptions): void;

/** Runs `fn`, sync or async, as one business operation or one step of it, here and in the services that it calls. */
export function withOperation<T>(operationId: string, fn: () => T): T;

export interface TrackOptions extends Pick<SnapshotOptions, 'componentType' | 'componentId'> {
  /** How often to look, milliseconds; 0 for never. Default 10,000. */
  everyMs?: number;
  /** Look also whenever a `withOperation` ends, under its id. Default true. */
  atOperationEnd?: boolean;
}

/**
 * Records a state whenever it has changed: looked at on an interval and at the end of operations. Small changes travel as
 * what changed. `stateOf` must be quick; where it throws there is no state. Returns a function that stops it.
 */
export function trackState(name: string, stateOf: () => unknown, options?: TrackOptions): () => void;

/**
 * Makes every call of a function an operation, named from its arguments: `operation((order) => order.id)(ship)`. The same
 * thing before a method is a decorator: `@operation((order) => order.id) async ship(order) {}`.
 */
// biome-ignore lint/suspicious/noExplicitAny: as wide as any function
export function operation<F extends (this: any, ...args: any[]) => unknown>(
  idOf: string | ((...args: Parameters<F>) => string),
): (fn: F, decorated?: ClassMethodDecoratorContext) => F;

/** Headers of a message (values may be texts, bytes or lists of them), or the flat fields and values of a Redis stream. */
export type Carrier = Record<string, unknown> | string[];

/** Writes trace, correlation and operation into a message that is about to be sent, and returns it. */
export function carry<C extends Carrier>(carrier: C): C;

/** Runs `fn`, sync or async, as the work on a message: in a span of its own, under the ids that the message carries. */
export function resume<T>(name: string, carrier: Carrier | undefined, fn: () => T): T;

/** Runs `fn` with a correlation id for everything that it does, here and in the services that it calls. */
export function withCorrelation<T>(correlationId: string, fn: () => T): T;

/** The operation id in force, if there is one. */
export function currentOperation(): string | undefined;

/** The correlation id in force: the one that was given, else the trace id. */
export function currentCorrelation(): string | undefined;
