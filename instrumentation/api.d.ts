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

/** Runs `fn` with a correlation id for everything that it does, here and in the services that it calls. */
export function withCorrelation<T>(correlationId: string, fn: () => T): T;

/** The operation id in force, if there is one. */
export function currentOperation(): string | undefined;

/** The correlation id in force: the one that was given, else the trace id. */
export function currentCorrelation(): string | undefined;
