// CommonJS: http server, http.request to the next hop, pino.
const http = require('node:http');
const pino = require('pino');
const { currentCorrelation, currentOperation } = require('@ai-debug/instrumentation');

const next = process.argv[2];
const logger = pino({ level: 'info' }, pino.destination(2));

const server = http.createServer((_request, response) => {
  logger.info({ order: { id: 7 } }, 'order received');
  logger.error(new Error('stock is low'));
  const answer = (reply) =>
    response.end(JSON.stringify({ correlation: currentCorrelation(), operation: currentOperation(), reply }));
  if (!next) return answer(null);
  http.get(`${next}/stock`, (reply) => {
    let body = '';
    reply.on('data', (text) => (body += text));
    reply.on('end', () => answer(JSON.parse(body)));
  });
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
process.on('SIGTERM', () => server.close());
