/** `debug.v1.DebugQuery`: the query service over gRPC. Every call is authenticated, takes its scope, and stops when its client leaves. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type {
  Metadata,
  MethodDefinition,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import { createGrpcServer, type GrpcServer, type GrpcServerSettings } from '../../base/grpc-server.ts';
import type { Logger } from '../../base/log.ts';
import type { Meter } from '../../base/meter.ts';
import type { Tls } from '../../base/tls.ts';
import { type Authenticate, credentialsOf, type Principal, type Scope } from '../../base/tokens.ts';
import { DebugQuery } from '../../proto/gen/debug/v1/debug_query_pb.js';
import { createAudit } from '../audit.ts';
import { within } from '../cancellation.ts';
import type { Live } from '../live.ts';
import type { QuestionLimit } from '../question-limit.ts';
import type { QueryService } from '../service.ts';
import { type Caller, METHODS, type MethodName, STREAMS } from './methods.ts';
import { statusOf } from './status.ts';

export interface DebugQueryServerSettings {
  host: string;
  /** 0 for any. */
  port: number;
  service: QueryService;
  /** Null where `DEBUG_STREAMING_ENABLED` is false. */
  live: Live | null;
  /** `DEBUG_SYSTEM_ENABLED`. */
  enabled: boolean;
  authenticate: Authenticate;
  /** Absent: tokens ask as much as they like. */
  limit?: QuestionLimit;
  tls?: Tls | null;
  guard?: GrpcServerSettings['guard'];
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export function createDebugQueryServer(settings: DebugQueryServerSettings): GrpcServer {
  const { host, port, tls, guard } = settings;
  const stopping = new AbortController();
  const server = createGrpcServer({
    name: 'questions over gRPC',
    host,
    port,
    portSetting: 'DEBUG_GRPC_PORT',
    tls,
    options: {
      'grpc.max_receive_message_length': REQUEST_BYTES_MAX,
      // What an answer may hold is bounded by its limits; one event of many megabytes is still an answer.
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': CONCURRENT_CALLS_MAX,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
    },
    services: [DebugQuery],
    implement: (server) => server.addService(DEFINITION, implementation(settings, stopping.signal)),
    guard,
    stopMs: STOP_MS,
  });
  return {
    ...server,
    stop() {
      // Streams have no end of their own: whoever listens is told, and may go elsewhere.
      stopping.abort(new DebugError('UNAVAILABLE', 'stopping'));
      return server.stop();
    },
  };
}

// A question with its context and a list of ten sides are some kilobytes.
const REQUEST_BYTES_MAX = 1 << 20;
const CONCURRENT_CALLS_MAX = 100;
// Finds out about peers that vanished without a word; under the 5 minutes at which peers call pings too many.
const KEEPALIVE_MS = 120_000;
const STOP_MS = 5000;

type Method = (typeof DebugQuery.methods)[number];
type Stream = (request: unknown, caller: Caller, call: ServerWritableStream<never, unknown>) => Promise<void>;
interface AnyCall {
  metadata: Metadata;
  once(event: 'cancelled', listener: () => void): unknown;
}

const DEFINITION = Object.fromEntries(DebugQuery.methods.map((method) => [method.localName, definitionOf(method)]));

function definitionOf({ name, input, output, methodKind }: Method): MethodDefinition<unknown, unknown> {
  return {
    path: `/${DebugQuery.typeName}/${name}`,
    requestStream: false,
    responseStream: methodKind === 'server_streaming',
    requestSerialize: (message) => Buffer.from(toBinary(input, message as never)),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(output, create(output, message as never))),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}

function implementation(settings: DebugQueryServerSettings, stopping: AbortSignal): UntypedServiceImplementation {
  const { service, live, enabled, limit, clock, log } = settings;
  const authenticate = limit?.over(settings.authenticate, 'grpc') ?? settings.authenticate;
  const seconds = settings.meter.histogram(
    'grpc_request_seconds',
    'Time to answer a question over gRPC, streams left out',
    [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    ['method', 'outcome'],
  );
  const audit = createAudit(log);
  const complained = new Set<string>();

  function admit(metadata: Metadata, scope: Scope, method: string): Principal {
    const texts = (key: string) => metadata.get(key).map(String);
    const principal = authenticate(
      credentialsOf({ authorization: texts('authorization'), 'x-api-key': texts('x-api-key') }),
    );
    audit.require(principal, scope, { method });
    if (!enabled) throw new DebugError('DISABLED', 'the debug system is switched off (DEBUG_SYSTEM_ENABLED)');
    return principal;
  }

  /** Runs a call for whom it is let in, until its client leaves, its deadline passes, or the server stops. */
  async function run(
    name: string,
    scope: Scope,
    call: AnyCall,
    work: (caller: Caller) => Promise<void>,
  ): Promise<unknown> {
    const left = new AbortController();
    call.once('cancelled', () => left.abort(new DebugError('UNAVAILABLE', 'the client has left')));
    const signal = AbortSignal.any([left.signal, stopping]);
    try {
      const principal = admit(call.metadata, scope, name);
      const { tenant } = principal;
      await within(signal, () => work({ service, live, clock, principal, tenant, signal }));
      audit.done(principal, scope, { method: name });
      return null;
    } catch (error) {
      if (!(error instanceof DebugError) && !complained.has(name)) {
        complained.add(name);
        log.error({ err: error, method: name }, 'a question over gRPC failed');
      }
      return error;
    }
  }

  const unary = (name: MethodName) => {
    const { scope, answer } = METHODS[name];
    return async (call: ServerUnaryCall<never, unknown>, callback: sendUnaryData<unknown>) => {
      const startMs = clock.monotonicMs();
      let response: unknown;
      const failure = await run(name, scope, call, async (caller) => {
        response = await answer(call.request, caller);
      });
      seconds.observe(
        { method: name, outcome: failure === null ? 'ok' : 'failed' },
        (clock.monotonicMs() - startMs) / 1000,
      );
      if (failure === null) callback(null, response);
      else callback(statusOf(failure));
    };
  };

  const stream = (name: keyof typeof STREAMS) => async (call: ServerWritableStream<never, unknown>) => {
    const failure = await run(name, 'read', call, (caller) =>
      (STREAMS as Record<string, unknown> as Record<string, Stream>)[name]!(call.request, caller, call),
    );
    if (failure === null) call.end();
    else call.emit('error', statusOf(failure));
  };

  return Object.fromEntries([
    ...(Object.keys(METHODS) as MethodName[]).map((name) => [name, unary(name)]),
    ...(Object.keys(STREAMS) as (keyof typeof STREAMS)[]).map((name) => [name, stream(name)]),
  ]);
}
