// An app that brings OpenTelemetry's own instrumentations and serves itself: `/all` calls `/fetched` and `/got`, and says a line.

const { once } = require('node:events');

const start = () => {
  const { NodeSDK } = require('@opentelemetry/sdk-node');
  const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
  const { UndiciInstrumentation } = require('@opentelemetry/instrumentation-undici');
  const { PinoInstrumentation } = require('@opentelemetry/instrumentation-pino');
  const instrumentations = [new HttpInstrumentation(), new UndiciInstrumentation(), new PinoInstrumentation()];
  new NodeSDK({ instrumentations, autoDetectResources: false }).start();
};
start();
// `--require` of this file is how another flag starts its SDK before ours.
if (require.main === module) void serve();

async function serve() {
  const http = require('node:http');
  const log = require('pino')();
  const get = async (path) => {
    const [answer] = await once(http.get(`http://127.0.0.1:${server.address().port}${path}`), 'response');
    await once(answer.resume(), 'end');
  };
  const server = http.createServer(async (request, response) => {
    if (request.url === '/all') {
      await (await fetch(`http://127.0.0.1:${server.address().port}/fetched`)).text();
      await get('/got');
      log.info('all called');
    }
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  await get('/all');
  server.closeAllConnections();
  server.close();
  process.kill(process.pid, 'SIGTERM');
}
