// A request that asks PostgreSQL, Redis and another service, and hands the rest to a queue and a pool of workers.
import { createServer } from 'node:http';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { carry, resume } from '@ai-debug/instrumentation';
import Redis from 'ioredis';
import pg from 'pg';

if (isMainThread) serve();
else
  parentPort.on('message', (job) => {
    try {
      resume('pack', job, () => {
        if (job.order === '13') throw new Error('no box fits order 13');
        console.log(`packed ${job.order}`);
      });
      parentPort.postMessage({ order: job.order });
    } catch (error) {
      parentPort.postMessage({ failed: error.message });
    }
  });

function serve() {
  const database = new pg.Client(process.env.TEST_PG_URL);
  const redis = new Redis(process.env.TEST_REDIS_URL);
  const queue = `jobs-${process.pid}`;
  const packer = new Worker(new URL(import.meta.url));
  packer.unref();

  const server = createServer(async (request, response) => {
    const url = `http://127.0.0.1:${server.address().port}`;
    if (request.url === '/stock') return response.end('9');
    if (request.url.startsWith('/broken/')) return broken(request.url.slice('/broken/'.length), response);
    await database.query('SELECT 1 AS stock');
    await redis.get('stock');
    await (await fetch(`${url}/stock`)).text();
    await redis.xadd(queue, '*', ...carry(['order', '7']));
    await pack('7');
    response.end('{}');
  });

  async function pack(order) {
    packer.postMessage(carry({ order }));
    const { failed } = await new Promise((packed) => packer.once('message', packed));
    if (failed) throw new Error(`not packed: ${failed}`);
  }

  const failures = {
    pg: () => database.query('SELECT * FROM nowhere'),
    ioredis: () => redis.incr(`text-${process.pid}`),
    undici: async () => fetch(`http://127.0.0.1:${await closedPort()}/stock`),
    worker: () => pack('13'),
    queue: () =>
      resume('ship', carry({ order: '13' }), async () => Promise.reject(new Error('no carrier takes order 13'))),
  };

  async function closedPort() {
    const gone = createServer().listen(0, '127.0.0.1');
    await new Promise((listening) => gone.once('listening', listening));
    const { port } = gone.address();
    await new Promise((closed) => gone.close(closed));
    return port;
  }

  async function broken(part, response) {
    await redis.set(`text-${process.pid}`, 'text', 'EX', 60);
    try {
      await failures[part]();
      response.end();
    } catch {
      response.writeHead(500).end();
    }
  }

  async function consume() {
    const consumer = redis.duplicate();
    const [[, [[, fields]]]] = await consumer.xread('BLOCK', 0, 'STREAMS', queue, '$');
    await resume('ship', fields, async () => console.log(`shipped ${fields[1]}`));
    await redis.del(queue);
    consumer.disconnect();
    console.log('done');
  }

  database.connect().then(() => {
    void consume();
    server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
  });
}
