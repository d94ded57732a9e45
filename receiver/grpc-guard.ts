/** What a gRPC port does not let be done to it: calls without a token, and connections that cost without bringing anything (F24). */
import { constants, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { Metadata, type Server, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { credentialsOf } from '../base/tokens.ts';
import { failureOf, statusTrailers } from './status.ts';

/**
 * Decides on a call's headers, before a byte of its message is kept: a message may have 64 MiB, and grpc-js holds it whole before its
 * handler is asked.
 * @param admit throws a DebugError for whom it does not let in; what it returns is called once the message is there, or never will be
 * @param guarded paths of the calls that it is asked about; health and reflection, which tell nothing, are open
 */
export function admitEarly(
  admit: (authorization: string | undefined) => () => void,
  guarded: ReadonlySet<string>,
): ServerInterceptor {
  return (method, call) => {
    if (!guarded.has(method.path)) return new ServerInterceptingCall(call);
    let received = () => {};
    return new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMessage(message, pass) {
            received();
            pass(message);
          },
          onCancel: () => received(), // grpc-js says so at every end
          onReceiveMetadata(metadata, pass) {
            try {
              received = admit(authorizationOf(metadata));
            } catch (error) {
              call.sendStatus(grpcError(error));
              return;
            }
            pass(metadata);
          },
        });
      },
    });
  };
}

/** The credentials of a call, as HTTP has them. */
export function authorizationOf(metadata: Metadata): string | undefined {
  const texts = (key: string) => metadata.get(key).map(String);
  return credentialsOf({ authorization: texts('authorization'), 'x-api-key': texts('x-api-key') });
}

export function grpcError(error: unknown) {
  const failure = failureOf(error);
  const metadata = new Metadata();
  for (const [key, value] of statusTrailers(failure)) metadata.set(key, value);
  return { code: failure.grpcCode, details: failure.message, metadata };
}

/**
 * Ends connections that never say what they are and those that only keep us busy with pings and settings. Streams that are opened and
 * reset at once (CVE-2023-44487) nghttp2 itself counts: over 1,000 and then 33 a second end the connection.
 * @returns whether there are sessions to be guarded: grpc-js keeps them private, and without them its own limits are all there is
 */
export function guardSessions(server: Server, { silentMs = 15_000, frames = 200, framesPerSecond = 2 } = {}): boolean {
  const servers = http2ServersOf(server);
  for (const http2Server of servers) {
    http2Server.on('session', (session: ServerHttp2Session) => {
      const silent = setTimeout(() => session.destroy(), silentMs);
      let left = frames;
      let since = performance.now();
      const spend = () => {
        const now = performance.now();
        left = Math.min(frames, left + ((now - since) / 1000) * framesPerSecond) - 1;
        since = now;
        if (left >= 0 || session.destroyed) return;
        session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, TOO_MANY_PINGS);
        session.destroy();
      };
      session.on('ping', spend);
      session.on('remoteSettings', () => {
        clearTimeout(silent);
        spend();
      });
      // Clients measure the way with a ping for each answer that they get: who brings something may ping.
      session.on('stream', () => {
        left = frames;
      });
      session.on('close', () => clearTimeout(silent));
    });
  }
  return servers.length > 0;
}

// The text by which gRPC clients know to ping less (gRFC A8).
const TOO_MANY_PINGS = Buffer.from('too_many_pings');

/** The HTTP/2 servers inside of a gRPC server, through a private member: none where that is gone one day. */
export function http2ServersOf(server: Server): Http2Server[] {
  const { http2Servers } = server as unknown as { http2Servers?: Map<Http2Server, unknown> };
  return http2Servers instanceof Map ? [...http2Servers.keys()] : [];
}
