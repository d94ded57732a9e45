// ESM: http server, fetch to the next hop, console, snapshot and operation through the API.
import { createServer } from 'node:http';
import { currentCorrelation, currentOperation, snapshot, withOperation } from '@ai-debug/instrumentation';

const next = process.argv[2];

const server = createServer(async (request, response) => {
  console.log('front got %s', request.url);
  const answer = await withOperation('order-7', async () => {
    snapshot('cart', { items: [1, 2.5, 'x'], nested: { at: new Date(0) } }, { checkpoint: 'before-order' });
    const reply = await fetch(`${next}/orders`);
    return { operation: currentOperation(), reply: await reply.json() };
  });
  response.end(JSON.stringify({ correlation: currentCorrelation(), ...answer }));
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
process.on('SIGTERM', () => server.close());
