import type { ServerHttp2Session } from 'node:http2';
import type {
  Server,
  ServerUnaryCall,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { createGrpcServer, type GrpcServer } from '../base/grpc-server.ts';
import type { Tls } from '../base/tls.ts';
import type { Exporter } from './export.ts';
import { admitEarly, authorizationOf, grpcError, guardSessions, http2ServersOf } from './grpc-guard.ts';
import { type ExportService, responseProtobuf, SERVICES } from './services.ts';

export interface GrpcReceiverOptions {
  host: string;
  /** 0 for any. */
  port: number;
  export: Exporter;
  /** Largest request, before and after decompression. */
  requestBytesMax: number;
  /**
   * Asked on the headers of a call, before its message is read. @throws DebugError for whom it does not let in
   * @returns called once the message is there, or never will be
   */
  admit?: (authorization: string | undefined) => () => void;
  /** A connection spoke HTTP/1, as exporters over HTTP do: they see no more than that it broke. */
  heardHttp?: () => void;
  /** Absent: plain text. */
  tls?: Tls | null;
  /** How long a stop waits for calls under way. Default 5000. */
  stopMs?: number;
}

/** OTLP over gRPC: the three Export services, beside them health and reflection. */
export function createGrpcReceiver(options: GrpcReceiverOptions): GrpcServer {
  const { host, port, requestBytesMax, admit, tls, stopMs = 5000 } = options;
  return createGrpcServer({
    name: 'OTLP over gRPC',
    host,
    port,
    portSetting: 'DEBUG_OTLP_GRPC_PORT',
    tls,
    options: {
      'grpc.max_receive_message_length': requestBytesMax,
      'grpc.max_send_message_length': RESPONSE_BYTES_MAX,
      'grpc.max_concurrent_streams': CONCURRENT_STREAMS_MAX,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      ...(admit !== undefined && { interceptors: [admitEarly(admit, EXPORT_PATHS)] }),
    },
    services: SERVICES.map(({ grpc }) => grpc),
    implement(server) {
      for (const service of SERVICES) server.addService(definitionOf(service), implementationOf(service, options));
    },
    guard(server) {
      widenWindows(server);
      guardSessions(server);
      for (const http2Server of http2ServersOf(server))
        http2Server.on('sessionError', ({ message }: Error) => {
          if (NO_HTTP2.test(message)) options.heardHttp?.();
        });
    },
    stopMs,
  });
}

/** What nghttp2 says of a connection that does not begin as HTTP/2 does. */
const NO_HTTP2 = /bad client magic/i;
// An answer is some bytes, a partial success a message of 1 KiB (OTLP recommends to bound it at 4 MiB).
const RESPONSE_BYTES_MAX = 64 * 1024;
// Per connection. An SDK sends one to thirty at a time; a collector in front has more connections, not more streams.
const CONCURRENT_STREAMS_MAX = 100;
// Finds out about peers that vanished without a word; under the 5 minutes at which peers call pings too many.
const KEEPALIVE_MS = 120_000;

function implementationOf({ signal }: ExportService, options: GrpcReceiverOptions): UntypedServiceImplementation {
  return {
    export(call: ServerUnaryCall<Buffer, Uint8Array>, callback: sendUnaryData<Uint8Array>) {
      const body = call.request;
      options
        .export({
          signal,
          transport: 'grpc',
          encoding: 'protobuf',
          authorization: authorizationOf(call.metadata),
          read(ticket) {
            ticket.hold(body.length);
            return body;
          },
        })
        .then(
          (result) => callback(null, responseProtobuf(signal, result)),
          (error) => callback(grpcError(error)),
        );
    },
  };
}

/** The request stays bytes: the walk reads them where they are. */
function definitionOf({ grpc }: ExportService): ServiceDefinition {
  const bytes = (value: Uint8Array) => Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return {
    export: {
      path: pathOf(grpc),
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  };
}

const pathOf = ({ typeName }: ExportService['grpc']) => `/${typeName}/Export`;
const EXPORT_PATHS = new Set(SERVICES.map(({ grpc }) => pathOf(grpc)));

const STREAM_WINDOW_BYTES = 1 << 20;
const CONNECTION_WINDOW_BYTES = 4 << 20;

/**
 * HTTP/2's windows of 64 kB hold one connection down to a third of what it can do: 132k to 258k spans a second against 552k to 726k
 * (16 streams of 357 kB). grpc-js has no option for a server's windows, so this reaches for its sessions through a private
 * member; where that is gone one day, only speed is lost.
 *
 * @returns whether the windows will be widened
 */
export function widenWindows(server: Server): boolean {
  const servers = http2ServersOf(server);
  for (const http2Server of servers) {
    http2Server.on('session', (session: ServerHttp2Session) => {
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      session.settings({ initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: CONCURRENT_STREAMS_MAX });
    });
  }
  return servers.length > 0;
}
