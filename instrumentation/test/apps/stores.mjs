// A request that asks PostgreSQL, Redis and another service, and hands the rest to a queue and a pool of workers.
import { createServer } from 'node:http';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { carry, resume } from '@ai-debug/instrumentation';
import Redis from 'ioredis';
import pg from 'pg';

if (isMainThread) serve();
else
  parentPort.on('message', (job) => {
    resume('pack', job, () => console.log(`packed ${job.order}`));
    parentPort.postMessage(job.order);
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
    await database.query('SELECT 1 AS stock');
    await redis.get('stock');
    await (await fetch(`${url}/stock`)).text();
    await redis.xadd(queue, '*', ...carry(['order', '7']));
    packer.postMessage(carry({ order: '7' }));
    await new Promise((packed) => packer.once('message', packed));
    response.end('{}');
  });

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
