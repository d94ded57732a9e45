// Leaves on the request what Express leaves there.
const http = require('node:http');

const server = http.createServer((request, response) => {
  if (request.url !== '/') Object.assign(request, { baseUrl: '/api', route: { path: '/orders/:id' } });
  response.end();
});
const get = (path) =>
  new Promise((done) => {
    http.get({ port: server.address().port, path, agent: false }, (reply) => reply.resume().on('end', done));
  });
server.listen(0, '127.0.0.1', async () => {
  await get('/');
  await get('/api/orders/7');
  server.close();
});
