/** What a file of the archive says of itself, as JSON beside it, committed last. */
import type { ContentPlaces } from './contents.ts';
import type { Place } from './objects.ts';

export interface Manifest {
  format: 1;
  tenant: string;
  day: string;
  /** `HH-` and a hash of the content: two files of one name are the same, so that either may take the other's place. */
  name: string;
  blocks: number;
  records: number;
  /** The greatest block id: no block within is newer. */
  id_max: string;
  /** Nanoseconds, decimal. */
  time_min: string;
  lines: FileFacts;
  index: FileFacts;
  /** In the index file. */
  directory: Place;
  filter: Place;
  /** What attributes and texts are within; absent in files from before that was told. */
  contents?: ContentPlaces;
}

export interface FileFacts {
  bytes: number;
  sha256: string;
}
