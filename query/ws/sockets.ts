/**
 * The WebSocket face of the live feed (CONTRACT section 5).
 *
 * A connection begins unknown where tokens are asked for and its request carried none: then its first message must be `authenticate`.
 * Once known it is told `connected` and may subscribe to channels; subscribing to a channel again replaces its filter.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Meter } from '../../base/meter.ts';
import { type Authenticate, credentialsOf, requireScope } from '../../base/tokens.ts';
import { formatNanos } from '../../model/time.ts';
import { invalid } from '../answer.ts';
import { headText, type Live } from '../live.ts';
import { parseChannel } from '../live-channels.ts';
import type { LiveFilter, MessageType } from '../live-filter.ts';
import { createOutbox, type Outbox } from '../live-outbox.ts';
import { type ClientMessage, parseClientMessage } from './client-messages.ts';
import { framesOf, type TextMessage, textMessage } from './frame.ts';

export interface SocketSettings {
  live: Live;
  clock: Clock;
  authenticate: Authenticate;
  meter: Meter;
}

export interface Sockets {
  /** Takes over a request to upgrade. @throws DebugError for one that cannot be taken; the socket is still the caller's then */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  readonly size: number;
  /** Closes every connection with 1001, and ends those that do not answer in time. */
  stop(): Promise<void>;
}

export function createSockets({ live, clock, authenticate, meter }: SocketSettings): Sockets {
  const dropped = meter.counter('live_dropped_total', 'Live messages that a reader was too slow for');
  const stuck = meter.counter('live_stuck_total', 'Live readers that were given up as they took nothing');
  /** @throws DebugError UNAUTHENTICATED, or FORBIDDEN where the token may not read */
  const tenantOf = (authorization: string | undefined) => {
    const principal = authenticate(authorization);
    requireScope(principal, 'read');
    return principal.tenant;
  };
  const server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES_MAX, clientTracking: true });
  const alive = new WeakSet<WebSocket>();
  const connections = new Map<WebSocket, Connection>();
  let heartbeat: NodeJS.Timeout | undefined;

  function beat(): void {
    for (const socket of server.clients) {
      if (!alive.delete(socket)) socket.terminate();
      else socket.ping();
    }
  }

  function connect(socket: WebSocket, wire: Duplex, tenant: string | null, channel: string | null): void {
    const connection = createConnection(socket, wire, channel, {
      live,
      clock,
      tenantOf,
      lost: () => dropped.inc(),
      stuck: () => stuck.inc(),
    });
    alive.add(socket);
    connections.set(socket, connection);
    socket.on('pong', () => alive.add(socket));
    socket.on('message', (data, binary) => {
      alive.add(socket);
      connection.hear(binary ? null : String(data));
    });
    socket.on('close', () => {
      connections.delete(socket);
      connection.end();
    });
    // What ws could not read: it closes the socket itself, with the code that says why.
    socket.on('error', () => {});
    if (tenant !== null) connection.admit(tenant);
    else connection.expectToken();
    heartbeat ??= setInterval(beat, HEARTBEAT_MS);
  }

  return {
    get size() {
      return server.clients.size;
    },

    upgrade(request, socket, head) {
      const channel = channelOfPath(request.url ?? '');
      if (server.clients.size >= CLIENTS_MAX) {
        throw new DebugError('UNAVAILABLE', `${CLIENTS_MAX} clients are listening already`, {
          retryAfterSeconds: retryAfter(),
        });
      }
      const authorization = credentialsOf(request.headersDistinct);
      const tenant = authorization === undefined ? tenantWithoutToken(tenantOf) : tenantOf(authorization);
      server.handleUpgrade(request, socket, head, (ws) => connect(ws, socket, tenant, channel));
    },

    async stop() {
      clearInterval(heartbeat);
      heartbeat = undefined;
      const open = [...connections];
      const closed = open.map(([socket]) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
      for (const [, connection] of open) connection.close(GOING_AWAY, 'the server is stopping');
      const deadline = setTimeout(() => {
        for (const [socket] of open) socket.terminate();
      }, CLOSE_MS);
      await Promise.all(closed);
      clearTimeout(deadline);
    },
  };
}

/** The channel that a path names, null for the bare one. @throws DebugError NOT_FOUND for another path */
function channelOfPath(url: string): string | null {
  const [path = ''] = url.split('?');
  const match = /^\/ws\/debug(?:\/([^/]+))?\/?$/.exec(path);
  if (match === null) throw new DebugError('NOT_FOUND', `there is nothing at ${path}`);
  if (match[1] === undefined) return null;
  try {
    return `debug:${decodeURIComponent(match[1])}`;
  } catch {
    throw new DebugError('MALFORMED', 'the path is not percent-encoded as it should be');
  }
}

function tenantWithoutToken(tenantOf: ConnectionSettings['tenantOf']): string | null {
  try {
    return tenantOf(undefined);
  } catch (error) {
    if (!(error instanceof DebugError) || error.code !== 'UNAUTHENTICATED') throw error;
    return null;
  }
}

/** Spread, so that those who were sent away together do not come back together. */
function retryAfter(): number {
  return RETRY_SECONDS + Math.floor(Math.random() * RETRY_SECONDS);
}

const RETRY_SECONDS = 20;
// Clients only send filters; the default of ws is 100 MiB.
const MESSAGE_BYTES_MAX = 64 * 1024;
// Each may keep 4 MiB waiting: a ceiling in memory, above any number of people and agents that look at once.
const CLIENTS_MAX = 2000;
const CHANNELS_MAX = 100;
const HEARTBEAT_MS = 30_000;
const TOKEN_MS = 5_000;
const CLOSE_MS = 1_000;
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;
const TRY_AGAIN_LATER = 1013;

interface Connection {
  admit(tenant: string): void;
  expectToken(): void;
  /** @param text null for a binary message */
  hear(text: string | null): void;
  close(code: number, reason: string): void;
  end(): void;
}

/** What connections share. */
interface ConnectionSettings {
  live: Live;
  clock: Clock;
  /** Whose data credentials open. @throws DebugError */
  tenantOf(authorization: string | undefined): string;
  lost(): void;
  stuck(): void;
}

function createConnection(
  socket: WebSocket,
  wire: Duplex,
  firstChannel: string | null,
  settings: ConnectionSettings,
): Connection {
  const { live, clock, tenantOf, lost, stuck } = settings;
  const channels = new Map<string, { leave: () => void; filter: LiveFilter }>();
  let tenant: string | null = null;
  let tokenDeadline: NodeJS.Timeout | undefined;

  const outbox: Outbox<TextMessage> = createOutbox({
    clock,
    flusher: live.flusher,
    write(messages, taken) {
      // Between the frames of ws, each of which is whole.
      if (socket.readyState === WebSocket.OPEN) wire.write(framesOf(messages), taken);
      else process.nextTick(taken);
    },
    gapText: (dropped) => messageOf('gap', null, { dropped }),
    lost,
    giveUp: () => {
      stuck();
      socket.close(TRY_AGAIN_LATER, 'too slow');
      // A close frame waits behind what the client does not take.
      setTimeout(() => socket.terminate(), CLOSE_MS).unref();
    },
  });

  function messageOf(type: string, channel: string | null, data: object): TextMessage {
    const timestamp = formatNanos(clock.nowNanos());
    return textMessage(Buffer.from(JSON.stringify({ type, channel, timestamp, cursor: live.cursor(), data })));
  }

  function say(type: string, channel: string | null, data: object): void {
    outbox.push(messageOf(type, channel, data));
  }

  function close(code: number, reason: string): void {
    outbox.flush();
    socket.close(code, reason);
  }

  function admit(admitted: string): void {
    tenant = admitted;
    clearTimeout(tokenDeadline);
    say('connected', firstChannel, { channels: firstChannel === null ? [] : [firstChannel] });
    if (firstChannel !== null) subscribe(firstChannel, {}, undefined);
  }

  function subscribe(channel: string, filter: LiveFilter, since: string | undefined): void {
    const parsed = parseChannel(channel);
    if (parsed === null) {
      throw invalid([
        { field: 'channel', message: 'must be debug:all, debug:<component_id> or debug:correlation:<id>' },
      ]);
    }
    if (!channels.has(channel) && channels.size >= CHANNELS_MAX) {
      throw new DebugError('THROTTLED', `a connection takes at most ${CHANNELS_MAX} channels`);
    }
    channels.get(channel)?.leave();
    // Said before the first message of the channel can come.
    say('subscribed', channel, { filter, channels: [...new Set([...channels.keys(), channel])] });
    const heads = new Map<MessageType, Buffer>();
    const headOf = (type: MessageType) => {
      let head = heads.get(type);
      if (head === undefined) {
        head = Buffer.from(headText(type, channel));
        heads.set(type, head);
      }
      return head;
    };
    const leave = live.subscribe({
      tenant: tenant!,
      channel: parsed,
      filter,
      since,
      deliver: (message) => outbox.push(textMessage(headOf(message.type), message.rest())),
      gap: outbox.gap,
    });
    channels.set(channel, { leave, filter });
  }

  function obey(message: ClientMessage): void {
    if (message.action === 'authenticate') {
      const admitted = tenantOf(`Bearer ${message.token}`);
      if (tenant === null) admit(admitted);
      return;
    }
    if (tenant === null)
      throw new DebugError('UNAUTHENTICATED', 'the first message must be authenticate, with a token');
    if (message.action === 'ping') say('pong', null, {});
    else if (message.action === 'subscribe')
      subscribe(message.channel, message.filter ?? {}, message.since ?? undefined);
    else {
      channels.get(message.channel)?.leave();
      channels.delete(message.channel);
      say('unsubscribed', message.channel, { channels: [...channels.keys()] });
    }
  }

  return {
    admit,
    close,
    expectToken() {
      tokenDeadline = setTimeout(() => socket.close(POLICY_VIOLATION, 'no token came'), TOKEN_MS);
    },
    hear(text) {
      try {
        if (text === null) throw new DebugError('UNSUPPORTED', 'messages are JSON text, not binary');
        obey(parseClientMessage(text));
      } catch (error) {
        if (!(error instanceof DebugError)) throw error;
        const { code, message, fields, reason } = error;
        say('error', null, { code: reason ?? code, message, errors: fields });
        if (code === 'UNAUTHENTICATED' || code === 'FORBIDDEN') close(POLICY_VIOLATION, message);
      }
    },
    end() {
      clearTimeout(tokenDeadline);
      for (const { leave } of channels.values()) leave();
      outbox.close();
    },
  };
}
