/**
 * What lies where in a file of the archive: per block its id, time range and keys, and the places of its index, its lines and its
 * patch. About a byte an event, most of it keys.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { hex64 } from '../../model/ids.ts';

export interface DirectoryEntry {
  /** 32 hex. */
  id: string;
  timeMin: bigint;
  /** In the index file. */
  indexOffset: number;
  indexLength: number;
  /** In the index file, after the index. */
  patchLength: number;
  /** A zstd frame in the lines file. */
  frameOffset: number;
  frameLength: number;
  /** Of the payload, decompressed: what is read back must be it. */
  payloadHash: bigint;
  keys: bigint[];
}

export function encodeDirectory(entries: readonly DirectoryEntry[]): Uint8Array {
  const keys = entries.flatMap((entry) => entry.keys);
  const words = new BigUint64Array(1 + entries.length * WORDS + keys.length);
  words[0] = BigInt(entries.length);
  let at = 1;
  for (const entry of entries) {
    for (const word of [
      BigInt(`0x${entry.id.slice(0, 16)}`),
      BigInt(`0x${entry.id.slice(16)}`),
      entry.timeMin,
      BigInt(entry.indexOffset),
      BigInt(entry.indexLength),
      BigInt(entry.patchLength),
      BigInt(entry.frameOffset),
      BigInt(entry.frameLength),
      entry.payloadHash,
      BigInt(entry.keys.length),
    ]) {
      words[at++] = word;
    }
  }
  words.set(keys, at);
  return zstdCompressSync(new Uint8Array(words.buffer), { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
}

/** @throws when the bytes are no directory */
export function decodeDirectory(bytes: Uint8Array): DirectoryEntry[] {
  const words = new BigUint64Array(new Uint8Array(zstdDecompressSync(bytes)).buffer);
  const count = Number(words[0]);
  const entries: DirectoryEntry[] = [];
  let keysAt = 1 + count * WORDS;
  for (let i = 0; i < count; i++) {
    const at = 1 + i * WORDS;
    const number = (column: number) => Number(words[at + column]);
    const keys = [...words.subarray(keysAt, keysAt + number(9))];
    keysAt += keys.length;
    entries.push({
      id: hex64(words[at]!) + hex64(words[at + 1]!),
      timeMin: words[at + 2]!,
      indexOffset: number(3),
      indexLength: number(4),
      patchLength: number(5),
      frameOffset: number(6),
      frameLength: number(7),
      payloadHash: words[at + 8]!,
      keys,
    });
  }
  return entries;
}

const WORDS = 10;
