import type { Readable, Transform } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
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
 * @param hold told of every decompressed byte before it is kept; throws when it is too much
 * @throws DebugError MALFORMED for what does not decompress or ends early, and whatever `hold` throws
 */
export function readBody(stream: Readable, encoding: ContentEncoding, hold: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const inflate = decompressor(encoding);
    const source = inflate === null ? stream : stream.pipe(inflate);
    const chunks: Buffer[] = [];

    source.on('data', onData);
    source.on('end', onEnd);
    stream.on('close', onClose);
    stream.on('error', () => {}); // a close follows
    inflate?.on('error', onCorrupt);

    function onData(chunk: Buffer) {
      try {
        hold(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        giveUp(error);
      }
    }
    function onEnd() {
      done();
      resolve(together(chunks));
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

/** As one, copied in turns: 60 MB at once, with the memory that the system has yet to find, held the loop for 50 ms and more. */
async function together(chunks: readonly Buffer[]): Promise<Buffer> {
  if (chunks.length === 1) return chunks[0]!;
  const body = Buffer.allocUnsafe(chunks.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  let turnEnd = TURN_BYTES;
  for (const chunk of chunks) {
    body.set(chunk, end);
    end += chunk.length;
    if (end < turnEnd) continue;
    turnEnd = end + TURN_BYTES;
    await nextTurn();
  }
  return body;
}

// A millisecond.
const TURN_BYTES = 4 << 20;
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
