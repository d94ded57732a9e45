// CommonJS gRPC server.
const grpc = require('@grpc/grpc-js');
const { currentCorrelation, currentOperation } = require('@ai-debug/instrumentation');

const server = new grpc.Server();
server.addService(require('./rpc-service.cjs'), {
  Reserve: ({ request }, done) => {
    console.log('reserving');
    if (request.sku === 13) {
      const failure = new Error('sku 13 is cursed');
      console.error(failure);
      return done(failure);
    }
    done(null, { correlation: currentCorrelation(), operation: currentOperation() });
  },
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`port ${port}`);
});
process.on('SIGTERM', () => server.tryShutdown(() => {}));
