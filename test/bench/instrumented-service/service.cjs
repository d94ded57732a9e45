/**
 * The service that `bench:instrumentation` measures, the same under every instrumentation. Over IPC it says when it listens and, when
 * asked, how much CPU it has used (all threads) and how much memory it holds.
 */
const http = require('node:http');
const pino = require('pino');

// The stream is a sink: what is measured is the record's way to the receiver, not the terminal.
const log = pino(require('node:fs').createWriteStream('/dev/null'));
const body = Buffer.from('{"ok":true}');

const handlers = {
  '/plain': (_request, response) => response.end(body),
  '/log': (_request, response) => {
    log.info({ order: 4711, customer: 'c-17' }, 'order accepted');
    response.end(body);
  },
  '/fan': async (_request, response) => {
    await (await fetch(`http://127.0.0.1:${server.address().port}/plain`)).arrayBuffer();
    response.end(body);
  },
};

const server = http.createServer((request, response) => {
  response.setHeader('content-length', body.length);
  handlers[request.url](request, response);
});
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpuUs: user + system, rssBytes: process.memoryUsage.rss() });
});
