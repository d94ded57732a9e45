import { isDeepStrictEqual } from 'node:util';
import type { AnyValue } from '@opentelemetry/api';
import { anyValue } from './any-value.ts';
import { mergePatch } from './merge-patch.ts';
import { onOperationEnd } from './operation-end.ts';
import { recordSnapshot, type SnapshotOptions, snapshotsWanted } from './snapshot.ts';

export interface TrackOptions extends Pick<SnapshotOptions, 'componentType' | 'componentId'> {
  /** How often to look, milliseconds; 0 for never. Default 10,000. */
  everyMs?: number;
  /** Look also whenever a `withOperation` ends, under its id. Default true. */
  atOperationEnd?: boolean;
}

/** A change is sent as the difference only where that is smaller than half of the state: a full one needs no history. */
const INCREMENT_SHARE_MAX = 0.5;
/** After so many differences comes a full state, so that a reader that has lost one is right again soon. */
const INCREMENTS_MAX = 20;

/**
 * Records a state whenever it has changed: looked at on an interval and at the end of operations. Small changes travel as an
 * RFC 7396 merge patch (`incremental`). The state is read through `stateOf`, which must be quick and must not throw
 * (a throw is taken for no state). @returns stops it
 */
export function trackState(name: string, stateOf: () => unknown, options: TrackOptions = {}): () => void {
  const { everyMs = 10_000, atOperationEnd = true, ...identity } = options;
  let last: AnyValue | undefined;
  let increments = 0;

  const look = (operationId?: string): void => {
    try {
      if (!snapshotsWanted()) return;
      const state = anyValue(stateOf());
      if (state === undefined || isDeepStrictEqual(state, last)) return;
      const named = { ...identity, ...(operationId === undefined ? {} : { operationId }) };
      const patch = last === undefined || increments >= INCREMENTS_MAX ? undefined : mergePatch(last, state);
      const isSmall = patch !== undefined && size(patch) < INCREMENT_SHARE_MAX * size(state);
      recordSnapshot(name, isSmall ? patch : state, { ...named, type: isSmall ? 'incremental' : 'full' });
      increments = isSmall ? increments + 1 : 0;
      last = state;
    } catch {}
  };

  look();
  const timer = everyMs > 0 ? setInterval(look, everyMs).unref() : undefined;
  const unlisten = atOperationEnd ? onOperationEnd(look) : () => {};
  return () => {
    clearInterval(timer);
    unlisten();
  };
}

function size(state: AnyValue): number {
  return JSON.stringify(state)?.length ?? 0;
}
