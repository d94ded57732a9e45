/** Frames of the WebSocket protocol that go to many connections as they are. */

/**
 * A whole text message of a server in one frame (RFC 6455, section 5.2): final, not masked, not compressed. `ws` frames a message for each
 * connection anew, header and text apart; of one that goes to hundreds the bytes are made once.
 */
export function textFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const headerBytes = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerBytes + bytes);
  frame[0] = FINAL_TEXT;
  if (headerBytes === 2) frame[1] = bytes;
  else if (headerBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(bytes, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(bytes), 2);
  }
  frame.write(text, headerBytes);
  return frame;
}

const FINAL_TEXT = 0x81;
