import type { Http2Server, ServerHttp2Session } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { type DescFile, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { Part } from '../base/lifecycle.ts';
import { type Listening, listen } from '../base/listen.ts';
import type { Exporter } from './export.ts';
import { type ExportService, responseProtobuf, SERVICES } from './services.ts';
import { failureOf, statusTrailers } from './status.ts';

export interface GrpcReceiverOptions {
  host: string;
  /** 0 for any. */
  port: number;
  export: Exporter;
  /** Largest request, before and after decompression. */
  requestBytesMax: number;
  /** Whose telemetry comes in here. */
  tenant: string;
  /** How long a stop waits for calls under way. Default 5000. */
  stopMs?: number;
}

export interface GrpcReceiver extends Part {
  /** Where it listens; null before it does. */
  address(): Listening | null;
}

/** OTLP over gRPC: the three Export services, beside them health and reflection. */
export function createGrpcReceiver(options: GrpcReceiverOptions): GrpcReceiver {
  const { host, port, requestBytesMax, stopMs = 5000 } = options;
  const server = new Server({
    'grpc.max_receive_message_length': requestBytesMax,
    'grpc.max_send_message_length': RESPONSE_BYTES_MAX,
    'grpc.max_concurrent_streams': CONCURRENT_STREAMS_MAX,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.enable_channelz': 0,
  });
  for (const service of SERVICES) server.addService(definitionOf(service), implementationOf(service, options));
  const health = new HealthImplementation();
  health.addToServer(server);
  new ReflectionService(reflectedFiles(SERVICES.map(({ grpc }) => grpc.file))).addToServer(server);

  // Connections are accepted here and handed to grpc-js: its own bindAsync prints to the console where a port is taken, calls
  // it a success where one of two addresses was free, and its forceShutdown closes nothing while channelz is off.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  widenWindows(server);
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  listener.maxConnections = CONNECTIONS_MAX;
  let listening: Listening | null = null;
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  async function start(): Promise<void> {
    listening = await listen(listener, host, port, 'OTLP over gRPC', 'DEBUG_OTLP_GRPC_PORT');
    sayServing('SERVING');
  }

  async function stop(): Promise<void> {
    await starting?.catch(() => {});
    sayServing('NOT_SERVING');
    // Ends when the last connection does: tryShutdown sends them GOAWAY, but waits for none that was handed to it.
    const closed = new Promise((resolve) => listener.close(resolve));
    server.tryShutdown(() => {});
    const deadline = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, stopMs);
    await closed;
    clearTimeout(deadline);
  }

  function sayServing(status: 'SERVING' | 'NOT_SERVING'): void {
    for (const name of ['', ...SERVICES.map(({ grpc }) => grpc.typeName)]) health.setStatus(name, status);
  }

  return {
    name: 'OTLP over gRPC',
    address: () => listening,
    start: () => (starting ??= start()),
    stop: () => (stopping ??= stop()),
  };
}

// An answer is some bytes, a partial success a message of 1 KiB (OTLP recommends to bound it at 4 MiB).
const RESPONSE_BYTES_MAX = 64 * 1024;
// Per connection. An SDK sends one to thirty at a time; a collector in front has more connections, not more streams.
const CONCURRENT_STREAMS_MAX = 100;
// Finds out about peers that vanished without a word; under the 5 minutes at which peers call pings too many.
const KEEPALIVE_MS = 120_000;
const CONNECTIONS_MAX = 10_000;

function implementationOf({ signal }: ExportService, options: GrpcReceiverOptions): UntypedServiceImplementation {
  return {
    export(call: ServerUnaryCall<Buffer, Uint8Array>, callback: sendUnaryData<Uint8Array>) {
      const body = call.request;
      options
        .export({
          signal,
          transport: 'grpc',
          encoding: 'protobuf',
          tenant: options.tenant,
          authorization: call.metadata.get('authorization')[0]?.toString(),
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

function grpcError(error: unknown) {
  const failure = failureOf(error);
  const metadata = new Metadata();
  for (const [key, value] of statusTrailers(failure)) metadata.set(key, value);
  return { code: failure.grpcCode, details: failure.message, metadata };
}

/** The request stays bytes: the walk reads them where they are. */
function definitionOf({ grpc }: ExportService): ServiceDefinition {
  const bytes = (value: Uint8Array) => Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return {
    export: {
      path: `/${grpc.typeName}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  };
}

/** What reflection wants to know: descriptors of these files and of all that they import, in the shape of proto-loader. */
function reflectedFiles(files: readonly DescFile[]): ConstructorParameters<typeof ReflectionService>[0] {
  const all = new Set<DescFile>();
  const add = (file: DescFile) => {
    if (all.has(file)) return;
    all.add(file);
    file.dependencies.forEach(add);
  };
  files.forEach(add);
  const fileDescriptorProtos = [...all].map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  return { otlp: { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos } };
}

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
  const { http2Servers } = server as unknown as { http2Servers?: Map<Http2Server, unknown> };
  if (!(http2Servers instanceof Map) || http2Servers.size === 0) return false;
  for (const http2Server of http2Servers.keys()) {
    http2Server.on('session', (session: ServerHttp2Session) => {
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      session.settings({ initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: CONCURRENT_STREAMS_MAX });
    });
  }
  return true;
}
