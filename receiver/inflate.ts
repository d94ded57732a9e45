import type { Readable, Transform } from 'node:stream';
import { constants, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { DebugError } from '../base/errors.ts';

/** What `Accept-Encoding` may name. `deflate` is the zlib format, as HTTP means it and the Python exporter sends it. */
export const CONTENT_ENCODINGS = ['gzip', 'deflate', 'zstd'] as const;
export type ContentEncoding = 'identity' | (typeof CONTENT_ENCODINGS)[number];

/**
 * What a Content-Encoding header names. One encoding at most: nested ones are a bomb's way in, and no exporter sends them.
 * @throws DebugError MALFORMED, as the collector answers 400 and not 415
 */
export function contentEncodingOf(header: string | undefined): ContentEncoding {
  const encoding = header?.trim().toLowerCase();
  switch (encoding) {
    case undefined:
    case '':
    case 'none':
    case 'identity':
      return 'identity';
    case 'zlib':
      return 'deflate';
    case 'gzip':
    case 'deflate':
    case 'zstd':
      return encoding;
    default:
      throw new DebugError(
        'MALFORMED',
        `unsupported Content-Encoding: ${encoding}, supported: ${CONTENT_ENCODINGS.join(', ')}`,
      );
  }
}

/**
 * Reads a body to its end and decompresses it on the way, so that no more than one chunk beyond the limit is ever held.
 * Where it gives up, the rest of the stream is read and thrown away, so that the sender gets to hear the answer.
 * @param hold told of every decompressed byte before it is kept; throws when it is too much, at the latest beyond `bytesMax`
 * @throws DebugError MALFORMED for what does not decompress or ends early, and whatever `hold` throws
 */
export function readBody(
  stream: Readable,
  encoding: ContentEncoding,
  hold: (bytes: number) => void,
  bytesMax: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const inflate = decompressor(encoding);
    const source = inflate === null ? stream : stream.pipe(inflate);
    const body = new Gathered(bytesMax, inflate !== null);

    source.on('data', onData);
    source.on('end', onEnd);
    stream.on('close', onClose);
    stream.on('error', () => {}); // a close follows
    inflate?.on('error', onCorrupt);

    function onData(chunk: Buffer<ArrayBuffer>) {
      try {
        hold(chunk.length);
        body.add(chunk);
      } catch (error) {
        giveUp(error);
      }
    }
    function onEnd() {
      done();
      resolve(body.end());
    }
    function onCorrupt(error: Error) {
      giveUp(new DebugError('MALFORMED', `the body is no ${encoding}: ${error.message}`, { cause: error }));
    }
    function onClose() {
      if (!stream.readableEnded) giveUp(new DebugError('MALFORMED', 'the connection ended before the body did'));
    }
    function giveUp(error: unknown) {
      done();
      if (inflate !== null) {
        stream.unpipe(inflate);
        inflate.on('error', () => {});
        inflate.destroy();
      }
      stream.resume();
      reject(error);
    }
    function done() {
      source.off('data', onData);
      source.off('end', onEnd);
      stream.off('close', onClose);
      inflate?.off('error', onCorrupt);
    }
  });
}

/**
 * What has come of a body. From BESIDE_BYTES_MAX on every chunk is copied as it comes to where it stays: put together at the end, 60 MB held the
 * loop for 50 ms and took their bytes twice. Memory that nobody touches costs nothing, so that room for the largest body can be taken.
 */
class Gathered {
  readonly #bytesMax: number;
  /** Whether nobody else looks at the chunks' memory: it is given back at once, not when the collector comes by (60 MB later). */
  readonly #ours: boolean;
  #chunks: Buffer<ArrayBuffer>[] = [];
  #whole: Buffer<ArrayBuffer> | null = null;
  #last: ArrayBuffer | null = null;
  #end = 0;

  constructor(bytesMax: number, ours: boolean) {
    this.#bytesMax = bytesMax;
    this.#ours = ours;
  }

  add(chunk: Buffer<ArrayBuffer>): void {
    if (this.#whole === null && this.#end + chunk.length <= BESIDE_BYTES_MAX) {
      this.#chunks.push(chunk);
      this.#end += chunk.length;
      return;
    }
    if (this.#whole === null) {
      this.#whole = Buffer.allocUnsafeSlow(this.#bytesMax);
      this.#end = 0;
      for (const before of this.#chunks) this.#copy(before);
      this.#chunks = [];
    }
    this.#copy(chunk);
  }

  #copy(chunk: Buffer<ArrayBuffer>): void {
    this.#whole!.set(chunk, this.#end);
    this.#end += chunk.length;
    // Several chunks may lie in one buffer; the next begins when it is full.
    if (this.#ours && this.#last !== chunk.buffer) this.#last?.transfer(0);
    this.#last = chunk.buffer;
  }

  end(): Buffer {
    if (this.#whole !== null) return this.#whole.subarray(0, this.#end);
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
  }
}

// A millisecond of copying.
const BESIDE_BYTES_MAX = 4 << 20;
// HTTP allows zstd a window of 8 MB (RFC 9659); a header that asks for more is after our memory.
const ZSTD_WINDOW_LOG_MAX = 23;
// 16 kB, the default, means sixteen trips to the thread pool for a usual batch of 350 kB.
const CHUNK_BYTES = 64 * 1024;

function decompressor(encoding: ContentEncoding): Transform | null {
  switch (encoding) {
    case 'identity':
      return null;
    case 'gzip':
      return createGunzip({ chunkSize: CHUNK_BYTES });
    case 'deflate':
      return createInflate({ chunkSize: CHUNK_BYTES });
    case 'zstd':
      return createZstdDecompress({
        chunkSize: CHUNK_BYTES,
        params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      });
  }
}
