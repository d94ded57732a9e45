/** Frames of the WebSocket protocol, of which many connections share the text. */

/** A text message that becomes a frame where it is written: what a connection says of it, and what all say alike. Both UTF-8. */
export interface TextMessage {
  head: Uint8Array;
  rest: Uint8Array;
  /** Of its frame, in bytes. */
  readonly length: number;
}

export function textMessage(head: Uint8Array, rest: Uint8Array = NOTHING): TextMessage {
  const bytes = head.length + rest.length;
  return { head, rest, length: headerBytesOf(bytes) + bytes };
}

/**
 * Whole messages of a server, each in one frame (RFC 6455, section 5.2): final, not masked, not compressed. `ws` frames a message for each
 * connection anew and writes header and text apart; here many leave in one piece.
 */
export function framesOf(messages: readonly TextMessage[]): Buffer {
  let length = 0;
  for (const message of messages) length += message.length;
  const frames = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { head, rest } of messages) {
    at = writeHeader(frames, at, head.length + rest.length);
    frames.set(head, at);
    at += head.length;
    frames.set(rest, at);
    at += rest.length;
  }
  return frames;
}

/** @returns where the text begins */
function writeHeader(frames: Buffer, at: number, bytes: number): number {
  frames[at] = FINAL_TEXT;
  const headerBytes = headerBytesOf(bytes);
  if (headerBytes === 2) frames[at + 1] = bytes;
  else if (headerBytes === 4) {
    frames[at + 1] = 126;
    frames.writeUInt16BE(bytes, at + 2);
  } else {
    frames[at + 1] = 127;
    frames.writeBigUInt64BE(BigInt(bytes), at + 2);
  }
  return at + headerBytes;
}

function headerBytesOf(bytes: number): number {
  return bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
}

const FINAL_TEXT = 0x81;
const NOTHING = new Uint8Array(0);
