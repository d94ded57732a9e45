/** A block as the archive writes it: the lines as one zstd frame, so that a look-up opens a frame and not a file. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decodeIndex, decodePayload } from '../../model/block.ts';
import { ContentHash } from '../../model/hash.ts';
import { type BlockContents, contentsOf } from './contents.ts';
import { fromLines, toLines } from './lines.ts';

export interface Packed {
  /** OTLP JSON lines. */
  frame: Uint8Array;
  patch: Uint8Array;
  /** Of the payload, decompressed. */
  payloadHash: bigint;
}

export interface PackedBlock extends Packed {
  contents: BlockContents;
}

/** @param indexBytes and payloadBytes as a store keeps them  @throws Error when what was packed does not give the payload back */
export function pack(indexBytes: Uint8Array, payloadBytes: Uint8Array): PackedBlock {
  const index = decodeIndex(indexBytes);
  const payload = decodePayload(payloadBytes);
  const { lines, patch } = toLines(index, payload);
  const packed = {
    frame: zstdCompressSync(lines, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } }),
    patch,
    payloadHash: hashOf(payload),
  };
  // Where nothing is patched, toLines has compared already what comes back.
  if (patch.length > 0) unpack(indexBytes, packed);
  return { ...packed, contents: contentsOf(index, payload) };
}

/** @returns the payload, decompressed  @throws Error when it is not what was packed */
export function unpack(indexBytes: Uint8Array, { frame, patch, payloadHash }: Packed): Uint8Array {
  const payload = fromLines(decodeIndex(indexBytes), { lines: zstdDecompressSync(frame), patch });
  if (hashOf(payload) !== payloadHash) throw new Error('the lines are damaged');
  return payload;
}

export function hashOf(bytes: Uint8Array): bigint {
  return new ContentHash().reset().bytes(bytes).digest();
}

// On the Train Ticket set: 34 bytes a span and 43 a log record, level 3 takes more, 6 saves a tenth of the logs' for five times the time.
const ZSTD_LEVEL = 1;
