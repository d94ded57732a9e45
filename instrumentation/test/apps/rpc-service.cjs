// The service of rpc-server.cjs and rpc-client.mjs, without proto files: JSON over gRPC.
const json = {
  requestSerialize: (value) => Buffer.from(JSON.stringify(value)),
  requestDeserialize: (bytes) => JSON.parse(bytes),
  responseSerialize: (value) => Buffer.from(JSON.stringify(value)),
  responseDeserialize: (bytes) => JSON.parse(bytes),
};

module.exports = {
  Reserve: { path: '/stock.Stock/Reserve', requestStream: false, responseStream: false, ...json },
};
