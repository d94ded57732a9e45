/**
 * Values as every row store can hold them, the same in each, so that an answer does not depend on the engine. Blocks are opaque
 * bytes and documents are JSON: both keep everything exactly; only columns pass through here.
 */

/** NUL (PostgreSQL refuses it) and lone surrogates (UTF-8 cannot say them) become U+FFFD. */
export function rowText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed();
}

/** A time in nanoseconds as a signed 64-bit column holds it: clipped at 2^63 - 1, the year 2262. */
export function rowTime(nanos: bigint): bigint {
  return nanos > ROW_TIME_MAX ? ROW_TIME_MAX : nanos;
}

const ROW_TIME_MAX = 0x7fff_ffff_ffff_ffffn;
