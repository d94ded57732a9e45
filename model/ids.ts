/** Event ids: 16 hex digits of time, 16 of hash. They sort by time and say where to look. */

/** @param time nanoseconds, uint64  @param hash 64 bits */
export function eventId(time: bigint, hash: bigint): string {
  return hex64(time) + hex64(hash);
}

/** The two halves of an event id, or null when it is not 32 hex digits. */
export function parseEventId(id: string): { time: bigint; hash: bigint } | null {
  if (!/^[0-9a-f]{32}$/.test(id)) return null;
  return { time: BigInt(`0x${id.slice(0, 16)}`), hash: BigInt(`0x${id.slice(16)}`) };
}

export function hex64(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
