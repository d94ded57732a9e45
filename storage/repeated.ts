/** Thrown within a commit to undo it: some of its requests were committed before. */
export class RepeatedRequests extends Error {
  override name = 'RepeatedRequests';
  readonly requests: readonly string[];

  constructor(requests: readonly string[]) {
    super(`${requests.length} requests were committed before`);
    this.requests = requests;
  }
}
