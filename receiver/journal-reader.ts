import { endOf, isLost, type OpenFile, type Segment, type SegmentFile } from './journal-files.ts';
import { type PlacedEntry, SEGMENT_HEADER_BYTES, SegmentReader } from './segment.ts';

export interface ReadBack {
  /** The next whole entry; null when the segment has no more. */
  entry: PlacedEntry | null;
  /** Passed over on the way because nothing whole could be made of them. */
  damagedBytes: number;
}

/** Reads entries of a journal back from its files, past what is damaged. Keeps one file open, that which was asked for last. */
export class JournalReader {
  readonly #openFile: OpenFile;
  #open: { segment: Segment; file: SegmentFile; reader: SegmentReader } | null = null;

  constructor(openFile: OpenFile) {
    this.#openFile = openFile;
  }

  /**
   * The first entry of a segment behind `position`. A sector that is bad ends the segment there: what is lost for good would else
   * stop the line for good.
   * @throws what may pass, as too many open files
   */
  async next(segment: Segment, position: bigint): Promise<ReadBack> {
    const offset = Math.max(SEGMENT_HEADER_BYTES, Number(position - segment.base));
    const limit = segment.size;
    try {
      const reader = await this.#readerAt(segment, offset);
      const damagedBefore = reader.damagedBytes;
      const entry = await reader.next(limit);
      const skipped = entry === null ? limit - reader.offset : 0;
      return { entry, damagedBytes: reader.damagedBytes - damagedBefore + skipped };
    } catch (error) {
      if (!isLost(error)) throw error;
      return { entry: null, damagedBytes: limit - offset };
    }
  }

  /** Every entry of these segments behind `position`, in order. @throws what may pass, and loses nothing by it */
  async *entries(segments: readonly Segment[], position: bigint): AsyncGenerator<PlacedEntry> {
    for (const segment of segments) {
      while (position < endOf(segment)) {
        const { entry } = await this.next(segment, position);
        if (entry !== null) yield entry;
        position = entry?.position ?? endOf(segment);
      }
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    await open?.file.close().catch(() => {});
  }

  async #readerAt(segment: Segment, offset: number): Promise<SegmentReader> {
    if (this.#open?.segment !== segment || this.#open.reader.offset !== offset) {
      await this.close();
      const file = await this.#openFile(segment.path, 'r');
      this.#open = { segment, file, reader: new SegmentReader(file, segment.base, segment.seed, offset) };
    }
    return this.#open.reader;
  }
}
