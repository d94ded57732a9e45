/** Serves until it is killed; every request is a span, a line, and at the end of a till a snapshot. */
import { createServer } from 'node:http';
import { snapshot } from '@ai-debug/instrumentation';

const server = createServer((request, response) => {
  const sale = request.url.slice(1);
  console.log(`sale ${sale}`);
  if (sale.endsWith('0')) snapshot('till', { sale }, { checkpoint: `till-${sale}` });
  response.end();
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
