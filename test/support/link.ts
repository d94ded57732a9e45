/** The way to a server, which breaks, slows down or goes deaf at a moment of the test's choice. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Link {
  /** The target's URL, by way of the link. */
  readonly url: string;
  /** Cuts all connections and refuses new ones. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  /** Cuts all connections; new ones are welcome. */
  cut(): void;
  /** From now on nothing passes, either way, and nobody is told. */
  hang(): void;
  /** From now on what goes one way is lost, while the other is open: a firewall that forgot half of a connection. */
  lose(way: 'sent' | 'answers'): void;
  /** From now on everything takes this much longer, each way. */
  delay(ms: number): void;
  /** Ends `hang`, `lose` and `delay`. What was lost stays lost, so that connections of that time are cut. */
  resume(): void;
  /** Cuts the connection that next sends so many bytes, after these; with `from`, counted from this text on. */
  cutAfterSent(bytes: number, more?: { from?: string; act?: () => void }): void;
  /** Cuts the connection that next sends this text, when the server answers and before the answer is through. */
  cutAnswerTo(text: string, act?: () => void): void;
  stop(): Promise<void>;
}

export async function startLink(target: string): Promise<Link> {
  const url = new URL(target);
  const { hostname, port: targetPort } = url;
  const sockets = new Set<Socket>();
  let afterSent: { bytes: number; from: string; act: () => void } | undefined;
  let fatal: { text: string; act: () => void } | undefined;
  let hanging = false;
  let lost: 'sent' | 'answers' | undefined;
  let delayMs = 0;

  const server = createServer((client) => {
    const upstream = connect(Number(targetPort), hostname);
    let answerIsFatal: (() => void) | undefined;
    let bytesLeft = Number.POSITIVE_INFINITY;
    let cutThen: () => void = () => {};
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut).on('close', () => {
        sockets.delete(socket);
        cut();
      });
      if (hanging) socket.pause();
    }

    client.on('data', (chunk: Buffer) => {
      if (lost === 'sent') return;
      if (fatal !== undefined && chunk.includes(fatal.text)) {
        answerIsFatal = fatal.act;
        fatal = undefined;
      }
      if (afterSent !== undefined && chunk.includes(afterSent.from)) {
        bytesLeft = afterSent.bytes;
        cutThen = afterSent.act;
        afterSent = undefined;
      }
      bytesLeft -= chunk.length;
      if (bytesLeft >= 0) {
        pass(upstream, chunk);
        return;
      }
      upstream.end(chunk.subarray(0, chunk.length + bytesLeft));
      client.destroy();
      bytesLeft = Number.POSITIVE_INFINITY;
      cutThen();
    });
    upstream.on('data', (chunk: Buffer) => {
      if (answerIsFatal !== undefined) {
        cut();
        answerIsFatal();
      } else if (lost !== 'answers') pass(client, chunk);
    });
  });

  /** Timers of the same delay fire in the order in which they were set, so that bytes stay in theirs. */
  function pass(to: Socket, chunk: Buffer): void {
    if (delayMs === 0) to.write(chunk);
    else setTimeout(() => to.writable && to.write(chunk), delayMs);
  }

  async function listen(port: number): Promise<number> {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  }

  function cutAll(): void {
    for (const socket of sockets) socket.destroy();
  }

  async function close(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve));
    cutAll();
    await closed;
  }

  const port = await listen(0);
  url.port = String(port);
  return {
    url: url.href,
    refuse: close,
    async accept() {
      if (!server.listening) await listen(port);
    },
    cut: cutAll,
    hang() {
      hanging = true;
      for (const socket of sockets) socket.pause();
    },
    lose(way) {
      lost = way;
    },
    delay(ms) {
      delayMs = ms;
    },
    resume() {
      if (lost !== undefined || delayMs > 0) cutAll();
      lost = undefined;
      delayMs = 0;
      hanging = false;
      for (const socket of sockets) socket.resume();
    },
    cutAfterSent(bytes, { from = '', act = () => {} } = {}) {
      afterSent = { bytes, from, act };
    },
    cutAnswerTo(text, act = () => {}) {
      fatal = { text, act };
    },
    stop: close,
  };
}
