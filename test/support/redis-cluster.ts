/** A real Redis Cluster of three nodes without replicas, on loopback. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { LocalServer } from './local-server.ts';
import { BUS_PORTS_BELOW, startRedisNode } from './redis.ts';

export interface RedisCluster {
  /** Of one node; clients find the others. */
  url: string;
  nodes: readonly LocalServer[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const NODES = 3;
const JOIN_MS_MAX = 20_000;

export async function startRedisCluster(): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: NODES }, startRedisNode));
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  const clients = nodes.map(({ url }) => new Redis(url));
  try {
    await Promise.all(
      clients.map(async (client, i) => {
        const [first, last] = [Math.ceil((i * SLOTS) / NODES), Math.ceil(((i + 1) * SLOTS) / NODES) - 1];
        await client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
        await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
      }),
    );
    const [first, ...others] = nodes.map(({ url }) => new URL(url));
    for (const { port } of others) {
      await clients[0]!.call('CLUSTER', 'MEET', '127.0.0.1', port, Number(port) - BUS_PORTS_BELOW);
    }
    const deadlineMs = Date.now() + JOIN_MS_MAX;
    const joined = async (client: Redis) => {
      const said = String(await client.call('CLUSTER', 'INFO'));
      return said.includes('cluster_state:ok') && said.includes(`cluster_size:${NODES}`);
    };
    while (!(await Promise.all(clients.map(joined))).every(Boolean)) {
      if (Date.now() > deadlineMs) throw new Error('the nodes of the Redis Cluster do not find each other');
      await sleep(50);
    }
    return { url: `${first!.href.replace(/\/$/, '')}/?cluster=true`, nodes, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    for (const client of clients) client.disconnect();
  }
}
