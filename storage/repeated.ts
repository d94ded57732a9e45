/** What undoes a commit, thrown within it. */
import { DebugError } from '../base/errors.ts';

/** Some of its requests were committed before. */
export class RepeatedRequests extends Error {
  override name = 'RepeatedRequests';
  readonly requests: readonly string[];

  constructor(requests: readonly string[]) {
    super(`${requests.length} requests were committed before`);
    this.requests = requests;
  }
}

/** Whoever knows which records are stored has said no. */
export class Vetoed extends Error {
  override name = 'Vetoed';
  /** What it threw. */
  readonly reason: unknown;

  constructor(reason: unknown) {
    super('a commit was undone by who looked at it');
    this.reason = reason;
  }
}

/** The ledger line of a journal is not where its only writer left it. */
export function lineTaken(journal: string, position: bigint, expected: bigint): DebugError {
  return new DebugError(
    'CONFLICT',
    `another process writes as journal ${journal}: the ledger is at ${position}, not at ${expected}`,
  );
}
