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

/** One node of a cluster that is still to be made, always one of our own. */
export function startRedisNode(): Promise<LocalServer> {
  return startLocalServer(NODE);
}

/** Where nodes speak with each other: ports above 55,535 have none at the usual distance above. */
export const BUS_PORTS_BELOW = 10_000;

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

const NODE: ServerKind = {
  ...REDIS,
  urlVariable: 'DEBUG_TEST_REDIS_CLUSTER_NODE_URL',
  command: (programDir, dataDir, port) => [
    ...REDIS.command(programDir, dataDir, port),
    ...['--cluster-enabled', 'yes', '--cluster-port', `${port - BUS_PORTS_BELOW}`],
    ...['--cluster-require-full-coverage', 'no', '--cluster-node-timeout', '2000'],
  ],
};
