/**
 * Unary gRPC calls of prepared messages over one HTTP/2 connection, and nothing more: whoever drives a receiver shares its cores here, and
 * with grpc-js the driver took a quarter of what the receiver did. Real senders are other machines.
 */
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { status } from '@grpc/grpc-js';

/** What gRPC writes before a message: whether it is compressed, and its length. */
export const PREFIX_BYTES = 5;

export interface GrpcConnection {
  /**
   * @param framed room of PREFIX_BYTES, then the message; not to be changed until the answer is there
   * @returns the name of the status, as OK
   */
  call(path: string, framed: Buffer): Promise<string>;
  close(): void;
}

/** @param address host:port */
export async function openGrpcConnection(address: string, { compressed = false } = {}): Promise<GrpcConnection> {
  const authority = `http://${address}`;
  let session = await opened(authority);
  let opening: Promise<unknown> | undefined;

  async function reopen(): Promise<void> {
    try {
      session = await opened(authority);
    } catch {
      // Whoever calls is told that nobody is there.
    } finally {
      opening = undefined;
    }
  }

  function send(path: string, framed: Buffer): Promise<string> {
    return new Promise((resolve) => {
      const stream = session.request({ ...HEADERS, ...(compressed && { 'grpc-encoding': 'gzip' }), ':path': path });
      let code: unknown;
      const hear = (headers: Record<string, unknown>) => {
        code = headers['grpc-status'] ?? code;
      };
      stream.on('response', hear); // of a refusal the headers are the trailers
      stream.on('trailers', hear);
      stream.on('error', () => {}); // told by the close behind it
      stream.on('close', () => resolve(code === undefined ? 'UNAVAILABLE' : (status[Number(code)] ?? String(code))));
      stream.setTimeout(DEADLINE_MS, () => {
        code = status.DEADLINE_EXCEEDED;
        stream.close(constants.NGHTTP2_CANCEL);
      });
      stream.resume();
      stream.end(framed);
    });
  }

  return {
    async call(path, framed) {
      if (session.closed || session.destroyed) await (opening ??= reopen());
      if (session.closed || session.destroyed) return 'UNAVAILABLE';
      if (!compressed) {
        framed[0] = 0;
        framed.writeUInt32BE(framed.length - PREFIX_BYTES, 1);
        return send(path, framed);
      }
      const message = await gzipped(framed.subarray(PREFIX_BYTES));
      const prefix = Buffer.alloc(PREFIX_BYTES);
      prefix[0] = 1;
      prefix.writeUInt32BE(message.length, 1);
      return send(path, Buffer.concat([prefix, message]));
    },
    close: () => session.close(),
  };
}

const HEADERS = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
const DEADLINE_MS = 30_000;
const gzipped = promisify(gzip);

function opened(authority: string): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(authority);
    session.once('error', reject);
    session.once('remoteSettings', () => {
      session.off('error', reject);
      session.on('error', () => {}); // its streams close, and say so
      resolve(session);
    });
  });
}
