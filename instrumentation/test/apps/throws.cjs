// `sync` and `async` throw in an http handler, `top` while the module loads, `handled` with a handler of the app's own.
const http = require('node:http');
const how = process.argv[2];

if (how === 'top') throw new TypeError('thrown at the top');
if (how === 'handled') {
  process.on('uncaughtException', (error) => {
    console.log(`survived ${error.message}`);
    process.exit(7);
  });
}
const server = http.createServer(() => {
  if (how === 'async') Promise.reject(new RangeError('rejected in a handler'));
  else throw new TypeError('thrown in a handler');
});
server.listen(0, '127.0.0.1', () => {
  http.get({ port: server.address().port, path: '/boom' }).on('error', () => {});
});
