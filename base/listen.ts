/** A port that is bound before anybody is told that we are up. */
import type { AddressInfo, Server } from 'node:net';
import { DebugError } from './errors.ts';

export interface Listening {
  host: string;
  port: number;
}

/**
 * Binds a port, 0 for any.
 * @param what for whom, as `OTLP over HTTP`
 * @param portSetting the setting to change when it is taken
 * @throws DebugError CONFLICT or INVALID, naming the setting that was wrong
 */
export function listen(
  server: Server,
  host: string,
  port: number,
  what: string,
  portSetting: string,
): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const setting = taken || error.code === 'EACCES' ? portSetting : 'DEBUG_HOST';
      const cause = taken
        ? `the port is taken (${setting}); 0 takes any that is free`
        : `${error.message} (${setting})`;
      reject(
        new DebugError(taken ? 'CONFLICT' : 'INVALID', `${what} cannot listen on ${host}:${port}: ${cause}`, {
          cause: error,
        }),
      );
    };
    server.once('error', onError);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', onError);
      const { address, port } = server.address() as AddressInfo;
      resolve({ host: address, port });
    });
  });
}

// A fleet that restarts connects at once; the kernel cuts this to its own maximum.
const BACKLOG = 4096;
