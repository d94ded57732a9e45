/**
 * One connection to a Redis that may be away at any moment. Nothing waits for it: commands are not queued while it is away, one that
 * does not answer soon has failed, and after a failure nobody asks again for a while.
 */
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Part } from '../../base/lifecycle.ts';
import type { Logger } from '../../base/log.ts';

export interface RedisConnection extends Part {
  readonly redis: Redis;
  /** @throws DebugError UNAVAILABLE when Redis is away, too slow or refuses, and at once while it rests */
  run<T>(command: (redis: Redis) => Promise<T>): Promise<T>;
}

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://` with user, password, host, port and database; with `?cluster=true` one node of a Redis Cluster. */
  url: string;
  /** Of a Cluster: stays with the node of the URL, for what is published. */
  anyNode?: boolean;
  clock: Clock;
  log: Logger;
}

const SETTING = 'DEBUG_REDIS_URL';
// The feed subscribes again by itself: ioredis leaves the rejection to nobody where the connection breaks while it does.
const RECONNECTING = { lazyConnect: true, enableOfflineQueue: false, autoResubscribe: false };
// Answers come within a millisecond; one that takes this long costs a commit more than the hot tier is worth.
const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
const RETRY_MS_MAX = 5_000;
const REFUSAL = /WRONGPASS|NOAUTH|NOPERM|invalid password|DB index/i;
/** After a failure: at most one command in this time pays the timeout of a Redis that hangs. */
const REST_MS = 2_000;

/**
 * `start` resolves also when Redis is away (it is looked for until it is there), and throws INVALID, naming the setting, when
 * it refuses us.
 */
export function createRedisConnection(
  name: string,
  { url, clock, log, anyNode = false }: RedisConnectionOptions,
): RedisConnection {
  let restsUntilMs = 0;
  let away = false;
  let starting: Promise<void> | undefined;
  let lastError: Error | undefined;
  const redis = connectionTo(
    url,
    {
      ...RECONNECTING,
      retryStrategy,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      connectionName: 'ai-debug',
      // After a failover we may be connected to what is a replica now.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    },
    anyNode,
  );
  redis.on('error', (error: Error) => {
    lastError = error;
  });

  async function open(): Promise<void> {
    if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol)) {
      throw refused('must be a URL like redis://user:password@host:6379/0');
    }
    try {
      await redis.connect();
      await redis.ping();
    } catch (error) {
      lastError ??= error as Error;
      failed(lastError.message);
    }
    // Only said, not thrown, where the database does not exist: the connection would go on in another one.
    if (lastError !== undefined && REFUSAL.test(lastError.message)) {
      redis.disconnect();
      throw refused(lastError.message);
    }
  }

  function failed(reason: string): void {
    if (!away) log.warn({ part: name, reason }, 'Redis is away; going on without it');
    away = true;
  }

  return {
    name,
    redis,

    start: () => (starting ??= open()),

    async stop() {
      await starting?.catch(() => {});
      redis.disconnect();
    },

    async run(command) {
      if (clock.monotonicMs() < restsUntilMs) throw unavailable('it failed a moment ago');
      try {
        const result = await command(redis);
        if (away) log.info({ part: name }, 'Redis is back');
        away = false;
        return result;
      } catch (error) {
        const reason = (error as Error).message;
        restsUntilMs = clock.monotonicMs() + REST_MS;
        failed(reason);
        throw unavailable(reason, error);
      }
    },
  };
}

type Options = Omit<RedisOptions, 'replyMapping'>;

/** A Cluster takes the same commands as one Redis: each of ours is about one slot. */
function connectionTo(address: string, options: Options, anyNode: boolean): Redis {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url?.searchParams.get('cluster') !== 'true') return new Redis(address, options);
  url.searchParams.delete('cluster');
  // Every node hands on what is published at another; through several it would not come in order.
  if (anyNode) return new Redis(url.href, options);
  const { username, password, protocol } = url;
  const { lazyConnect, enableOfflineQueue, retryStrategy: _, ...redisOptions } = options;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return new Cluster([{ host, port: Number(url.port || 6379) }], {
    ...{ lazyConnect, enableOfflineQueue, clusterRetryStrategy: retryStrategy },
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    redisOptions: {
      ...redisOptions,
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' && { tls: {} }),
    },
  } as Omit<ClusterOptions, 'redisOptions'> & { redisOptions: Options }) as unknown as Redis;
}

function retryStrategy(attempt: number): number {
  return Math.min(100 * attempt, RETRY_MS_MAX) * (0.5 + Math.random() / 2);
}

function unavailable(reason: string, cause?: unknown): DebugError {
  return new DebugError('UNAVAILABLE', `Redis is unavailable: ${reason}`, { retryAfterSeconds: 2, cause });
}

function refused(message: string): DebugError {
  return new DebugError('INVALID', `${SETTING}: ${message}`, { fields: [{ field: SETTING, message }] });
}
