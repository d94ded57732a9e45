import { join } from 'node:path';
import { type LocalServer, type ServerKind, startLocalServer } from './local-server.ts';

/**
 * The Redis of DEBUG_TEST_REDIS_URL or one of our own, which keeps nothing on disk. Test files share it: each must use a
 * key prefix of its own.
 *
 * @throws Error that says what to type, when there is none and none can be installed.
 */
export function startRedis(): Promise<LocalServer> {
  return startLocalServer(REDIS);
}

const REDIS: ServerKind = {
  name: 'Redis',
  urlVariable: 'DEBUG_TEST_REDIS_URL',
  programs: ['redis-server'],
  directories: [],
  packages: { 'apt-get': 'redis-server', dnf: 'redis', brew: 'redis' },
  refusesRoot: false,
  command: (programDir, dataDir, port) => [
    join(programDir, 'redis-server'),
    ...['--bind', '127.0.0.1', '--port', `${port}`, '--dir', dataDir, '--save', '', '--appendonly', 'no'],
  ],
  url: (port) => `redis://127.0.0.1:${port}`,
};
