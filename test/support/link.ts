/** The way to a server, which breaks at a moment of the test's choice. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Link {
  /** The target's URL, by way of the link. */
  readonly url: string;
  /** Cuts all connections and refuses new ones. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  /** From now on nothing passes, either way, and nobody is told. */
  hang(): void;
  resume(): void;
  /** Cuts the connection that next sends so many bytes, after these. */
  cutAfterSent(bytes: number): void;
  /** Cuts the connection that next sends this text, when the server answers and before the answer is through. */
  cutAnswerTo(text: string): void;
  stop(): Promise<void>;
}

export async function startLink(target: string): Promise<Link> {
  const url = new URL(target);
  const { hostname, port: targetPort } = url;
  const sockets = new Set<Socket>();
  let bytesLeft = Number.POSITIVE_INFINITY;
  let fatalText: string | undefined;
  let hanging = false;

  const server = createServer((client) => {
    const upstream = connect(Number(targetPort), hostname);
    let answerIsFatal = false;
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
      if (fatalText !== undefined && chunk.includes(fatalText)) {
        fatalText = undefined;
        answerIsFatal = true;
      }
      bytesLeft -= chunk.length;
      if (bytesLeft >= 0) {
        upstream.write(chunk);
        return;
      }
      upstream.end(chunk.subarray(0, chunk.length + bytesLeft));
      client.destroy();
      bytesLeft = Number.POSITIVE_INFINITY;
    });
    upstream.on('data', (chunk: Buffer) => {
      if (answerIsFatal) cut();
      else client.write(chunk);
    });
  });

  async function listen(port: number): Promise<number> {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  }

  async function close(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  const port = await listen(0);
  url.port = String(port);
  return {
    url: url.href,
    refuse: close,
    async accept() {
      await listen(port);
    },
    hang() {
      hanging = true;
      for (const socket of sockets) socket.pause();
    },
    resume() {
      hanging = false;
      for (const socket of sockets) socket.resume();
    },
    cutAfterSent(bytes) {
      bytesLeft = bytes;
    },
    cutAnswerTo(text) {
      fatalText = text;
    },
    stop: close,
  };
}
