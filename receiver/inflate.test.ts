import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CONTENT_ENCODINGS, type ContentEncoding, contentEncodingOf, readBody } from './inflate.ts';

const compressors = {
  identity: (bytes: Uint8Array) => bytes,
  gzip: gzipSync,
  deflate: deflateSync,
  zstd: zstdCompressSync,
};
const ALL = ['identity', ...CONTENT_ENCODINGS] as const;
const BYTES_MAX = 32 << 20;
const text = Buffer.from('otlp '.repeat(50_000));

/** In pieces of some bytes. */
function streamOf(bytes: Uint8Array, pieceBytes = 1000): Readable {
  const pieces: Uint8Array[] = [];
  for (let i = 0; i < bytes.length; i += pieceBytes) pieces.push(Buffer.from(bytes.subarray(i, i + pieceBytes)));
  return Readable.from(pieces, { objectMode: false });
}

describe('readBody', () => {
  it.each(ALL)('%s gives the bytes back and tells of each of them', async (encoding) => {
    let held = 0;
    const body = await readBody(
      streamOf(compressors[encoding](text)),
      encoding,
      (bytes) => {
        held += bytes;
      },
      BYTES_MAX,
    );
    expect(Buffer.compare(body, text)).toBe(0);
    expect(held).toBe(text.length);
  });

  it.each(ALL)('%s gives the bytes of a large body back, one after the other', async (encoding) => {
    const large = Buffer.alloc(20 << 20);
    for (let at = 0; at < large.length; at += 4) large.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
    const body = await readBody(streamOf(compressors[encoding](large), 50_000), encoding, () => {}, BYTES_MAX);
    expect(Buffer.compare(body, large)).toBe(0);
  });

  it.each(ALL)('%s of nothing is nothing', async (encoding) => {
    expect(
      await readBody(streamOf(compressors[encoding](new Uint8Array(0))), encoding, () => {}, BYTES_MAX),
    ).toHaveLength(0);
  });

  it.each(ALL)('%s stops at the limit, long before the end, and throws the rest away', async (encoding) => {
    const bomb = compressors[encoding](Buffer.alloc(encoding === 'identity' ? 1 << 20 : 64 << 20));
    const stream = streamOf(Buffer.concat([bomb, Buffer.alloc(1 << 20)]));
    let held = 0;
    const failure = new Error('too much');
    const body = readBody(
      stream,
      encoding,
      (bytes) => {
        held += bytes;
        if (held > 200_000) throw failure;
      },
      BYTES_MAX,
    );
    await expect(body).rejects.toBe(failure);
    expect(held).toBeLessThan(200_000 + (64 << 10) + 1);
    while (!stream.readableEnded) await turn();
    expect(held).toBeLessThan(200_000 + (64 << 10) + 1);
  });

  it.each(CONTENT_ENCODINGS)('%s that is none, or torn, is MALFORMED', async (encoding) => {
    const whole = compressors[encoding](text);
    for (const bytes of [Buffer.from('something else'), whole.subarray(0, -6), whole.subarray(0, whole.length >> 1)]) {
      await expect(readBody(streamOf(bytes), encoding, () => {}, BYTES_MAX)).rejects.toMatchObject({
        code: 'MALFORMED',
      });
    }
  });

  it('F17 refuses zstd that wants a window larger than HTTP allows', async () => {
    const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_enableLongDistanceMatching]: 1 };
    const stream = zstdCompressSync(Buffer.alloc(20 << 20, text), { params });
    await expect(readBody(streamOf(stream), 'zstd', () => {}, BYTES_MAX)).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  it('fails when the sender goes away in the middle', async () => {
    for (const encoding of ALL) {
      const stream = new PassThrough();
      const body = readBody(stream, encoding, () => {}, BYTES_MAX);
      stream.write(compressors[encoding](text).subarray(0, 20));
      await turn();
      stream.destroy();
      await expect(body).rejects.toMatchObject({ code: 'MALFORMED' });
    }
  });
});

describe('contentEncodingOf', () => {
  it.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['none', 'identity'],
    ['identity', 'identity'],
    [' GZIP ', 'gzip'],
    ['zlib', 'deflate'],
    ['deflate', 'deflate'],
    ['zstd', 'zstd'],
  ] as [string | undefined, ContentEncoding][])('%j is %s', (header, encoding) => {
    expect(contentEncodingOf(header)).toBe(encoding);
  });

  it.each(['br', 'gzip, gzip', 'gzip,zstd', 'x'])('%s is refused', (header) => {
    expect(() => contentEncodingOf(header)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });
});
