/** A gRPC server as every port of ours runs one: bound before it says so, with health and reflection, and stopped within a deadline. */
import type { Socket } from 'node:net';
import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Server, ServerCredentials, type ServerOptions } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { Part } from './lifecycle.ts';
import { type Listening, listen } from './listen.ts';
import { createSocketServer, type Tls } from './tls.ts';

export interface GrpcServerSettings {
  /** For whom, as `questions over gRPC`. */
  name: string;
  host: string;
  /** 0 for any. */
  port: number;
  /** The setting to change when it is taken. */
  portSetting: string;
  /** Absent: plain text. */
  tls?: Tls | null | undefined;
  options: ServerOptions;
  services: readonly DescService[];
  /** Adds the implementations. */
  implement(server: Server): void;
  /** Looks at connections before they carry calls. */
  guard?: ((server: Server) => void) | undefined;
  /** How long a stop waits for calls under way. */
  stopMs: number;
}

export interface GrpcServer extends Part {
  /** Where it listens; null before it does. */
  address(): Listening | null;
}

export function createGrpcServer(settings: GrpcServerSettings): GrpcServer {
  const { name, host, port, portSetting, tls = null, services, stopMs } = settings;
  const server = new Server({ ...settings.options, 'grpc.enable_channelz': 0 });
  settings.implement(server);
  const health = new HealthImplementation();
  health.addToServer(server);
  new ReflectionService(reflectedFiles(services.map(({ file }) => file))).addToServer(server);

  // Connections are accepted here and handed to grpc-js: its own bindAsync prints to the console where a port is taken, calls
  // it a success where one of two addresses was free, and its forceShutdown closes nothing while channelz is off.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  settings.guard?.(server);
  const sockets = new Set<Socket>();
  const listener = createSocketServer(tls, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  let listening: Listening | null = null;
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  async function start(): Promise<void> {
    listening = await listen(listener, host, port, name, portSetting);
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
    for (const service of ['', ...services.map(({ typeName }) => typeName)]) health.setStatus(service, status);
  }

  return {
    name,
    address: () => listening,
    start: () => (starting ??= start()),
    stop: () => (stopping ??= stop()),
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
  return { files: { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos } };
}
