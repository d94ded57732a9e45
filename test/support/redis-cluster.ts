/** A real Redis Cluster of three nodes, on loopback. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { LocalServer } from './local-server.ts';
import { BUS_PORTS_BELOW, startRedisNode } from './redis.ts';

export interface RedisCluster {
  /** Of one node; clients find the others. */
  url: string;
  /** The masters, then a replica of each, if there are any. */
  nodes: readonly LocalServer[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const NODES = 3;
const JOIN_MS_MAX = 20_000;

export async function startRedisCluster({ withReplicas = false } = {}): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: withReplicas ? 2 * NODES : NODES }, startRedisNode));
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  const clients = nodes.map(({ url }) => new Redis(url));
  try {
    await Promise.all(
      clients.slice(0, NODES).map(async (client, i) => {
        const [first, last] = [Math.ceil((i * SLOTS) / NODES), Math.ceil(((i + 1) * SLOTS) / NODES) - 1];
        await client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
        await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
      }),
    );
    const [first, ...others] = nodes.map(({ url }) => new URL(url));
    for (const { port } of others) {
      await clients[0]!.call('CLUSTER', 'MEET', '127.0.0.1', port, Number(port) - BUS_PORTS_BELOW);
    }
    const joined = async (client: Redis) => {
      const said = String(await client.call('CLUSTER', 'INFO'));
      return said.includes('cluster_state:ok') && said.includes(`cluster_known_nodes:${nodes.length}`);
    };
    await until(async () => (await Promise.all(clients.map(joined))).every(Boolean), 'find each other');
    await Promise.all(
      clients.slice(NODES).map(async (replica, i) => {
        await replica.call('CLUSTER', 'REPLICATE', String(await clients[i]!.call('CLUSTER', 'MYID')));
        const isReady = async () => String(await clients[i]!.info('replication')).includes('state=online');
        await until(isReady, 'have their replicas');
      }),
    );
    return { url: `${first!.href.replace(/\/$/, '')}/?cluster=true`, nodes, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function until(test: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = Date.now() + JOIN_MS_MAX;
  while (!(await test())) {
    if (Date.now() > deadlineMs) throw new Error(`the nodes of the Redis Cluster do not ${what}`);
    await sleep(50);
  }
}
