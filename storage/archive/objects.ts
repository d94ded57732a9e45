/** Where the archive's files lie, as it sees that: names with slashes, each an immutable object that is there whole or not at all. */

export interface Objects {
  /** Once, before anything else. @throws Error that says what is wrong with the place */
  open(): Promise<void>;
  /** A local folder in which files grow that {@link Objects.put} takes. */
  readonly scratch: string;
  /** Takes a local file, which is gone afterwards, or bytes. Durable when it resolves; what was there under that name is replaced. */
  put(name: string, content: { file: string; bytes: number } | Uint8Array): Promise<void>;
  /** Parts of an object. @throws Error when it is not there, or shorter */
  get(name: string, places: readonly Place[]): Promise<Uint8Array[]>;
  /** The whole object, piece by piece. */
  read(name: string): AsyncIterable<Uint8Array>;
  /** Null when it is not there. */
  size(name: string): Promise<number | null>;
  /** Names of the objects in a folder, and of the folders in it, without the folder's own. */
  list(folder: string): Promise<{ files: string[]; folders: string[] }>;
  /** Another text when the folder has changed since, null where that cannot be told. */
  stamp(folder: string): Promise<string | null>;
  /** Nothing when it is not there. */
  delete(name: string): Promise<void>;
}

export interface Place {
  offset: number;
  length: number;
}

export interface S3Settings {
  /** Absent: Amazon's of the region. */
  endpoint?: string;
  /** Absent: what the environment says, as for every AWS client. */
  region?: string;
}
