// ESM: http in, gRPC out.
import { createServer } from 'node:http';
import * as grpc from '@grpc/grpc-js';
import service from './rpc-service.cjs';

const Stock = grpc.makeGenericClientConstructor(service, 'Stock');
const stock = new Stock(`127.0.0.1:${process.argv[2]}`, grpc.credentials.createInsecure());

const server = createServer((request, response) => {
  const sku = Number(request.url.slice(1)) || 1;
  stock.Reserve({ sku }, (error, reply) => {
    response.statusCode = error ? 500 : 200;
    response.end(JSON.stringify(error ?? reply));
  });
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
process.on('SIGTERM', () => {
  server.close();
  stock.close();
});
