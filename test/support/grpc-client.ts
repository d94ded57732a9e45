/** A gRPC client of DebugQuery, made from its descriptors, with health and reflection beside it. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnySchema, anyUnpack } from '@bufbuild/protobuf/wkt';
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  credentials,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { DebugQuery } from '../../proto/gen/debug/v1/debug_query_pb.js';
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';

// biome-ignore lint/suspicious/noExplicitAny: messages are looked into freely
type Message = any;

export function createClient(port: number) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const methodOf = (name: string) => {
    const method = DebugQuery.methods.find(({ localName }) => localName === name)!;
    return {
      path: `/${DebugQuery.typeName}/${method.name}`,
      serialize: (message: object) => Buffer.from(toBinary(method.input, create(method.input, message as never))),
      deserialize: (bytes: Buffer) => fromBinary(method.output, bytes) as Message,
    };
  };
  const stream = (name: string, request: object, metadata: Metadata): ClientReadableStream<Message> => {
    const { path, serialize, deserialize } = methodOf(name);
    const call = client.makeServerStreamRequest(path, serialize, deserialize, request, metadata, {});
    // Whoever reads it is told by the iterator; a stream that was cancelled has nobody to tell.
    return call.on('error', () => {});
  };
  return {
    close: () => client.close(),

    unary(name: string, request: object, metadata: Metadata, options: CallOptions = {}): Promise<Message> {
      const { path, serialize, deserialize } = methodOf(name);
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, serialize, deserialize, request, metadata, options, (error, response) =>
          error === null ? resolve(response) : reject(detailed(error)),
        );
      });
    },

    stream,

    async all(name: string, request: object, metadata: Metadata): Promise<Message[]> {
      const messages: Message[] = [];
      for await (const message of stream(name, request, metadata)) messages.push(message);
      return messages;
    },

    messagesOf: (stream: ClientReadableStream<Message>): AsyncIterator<Message> => stream[Symbol.asyncIterator](),

    /** @returns what a stream fails by */
    failureOf: (stream: ClientReadableStream<Message>) =>
      new Promise<ReturnType<typeof detailed>>((resolve) => {
        stream.once('error', (error) => resolve(detailed(error as ServiceError)));
        stream.resume();
      }),

    /** @returns the name of its status */
    health(service: string): Promise<string> {
      const name = Buffer.from(service);
      const request = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
      return new Promise((resolve, reject) => {
        const same = (bytes: Buffer) => bytes;
        client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, request, (error, response) =>
          error === null ? resolve(['UNKNOWN', 'SERVING', 'NOT_SERVING'][response![1] ?? 0]!) : reject(error),
        );
      });
    },

    /** @returns what reflection lists, as text that holds the names */
    services(): Promise<string> {
      return new Promise((resolve, reject) => {
        const same = (bytes: Buffer) => bytes;
        const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
        const call = client.makeBidiStreamRequest(path, same, same);
        call.on('error', reject);
        call.once('data', (bytes: Buffer) => {
          resolve(bytes.toString('latin1'));
          call.end();
        });
        // ServerReflectionRequest { list_services = 7: "*" }
        call.write(Buffer.from([0x3a, 0x01, 0x2a]));
      });
    },
  };
}

/** With what google.rpc details say. */
function detailed(error: ServiceError): ServiceError & { reason: string | undefined; fields: string[] } {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const details = bytes === undefined ? [] : fromBinary(StatusSchema, bytes as Buffer).details;
  const info = details
    .map((any) => anyUnpack(create(AnySchema, any), ErrorInfoSchema))
    .find((each) => each !== undefined);
  const bad = details
    .map((any) => anyUnpack(create(AnySchema, any), BadRequestSchema))
    .find((each) => each !== undefined);
  return Object.assign(error, {
    reason: info?.reason,
    fields: (bad?.fieldViolations ?? []).map(({ field }) => field),
  });
}
