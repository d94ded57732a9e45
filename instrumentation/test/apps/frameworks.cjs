// The same two routes in the framework that is named: one answers, one fails.
const { withOperation } = require('@ai-debug/instrumentation');

const listening = (server) => console.log(`port ${server.address().port}`);
const order = (id) => withOperation(`order-${id}`, () => console.log(`order ${id}`));
const fail = (id) => {
  console.error(new Error(`order ${id} has no address`));
  throw new Error(`order ${id} cannot be shipped`);
};

const frameworks = {
  express() {
    const app = require('express')();
    app.get('/orders/:id', (request, response) => response.json(order(request.params.id) ?? {}));
    app.get('/ship/:id', (request) => fail(request.params.id));
    // Express would print the stack; that is the app's choice, not a part of this.
    app.use((_error, _request, response, _next) => response.status(500).end());
    const server = app.listen(0, '127.0.0.1', () => listening(server));
  },
  async fastify() {
    const app = require('fastify')();
    app.get('/orders/:id', async (request) => order(request.params.id) ?? {});
    app.get('/ship/:id', async (request) => fail(request.params.id));
    await app.listen({ port: 0, host: '127.0.0.1' });
    listening(app.server);
  },
  koa() {
    const Koa = require('koa');
    const app = new (Koa.default ?? Koa)();
    app.silent = true;
    app.use(async (ctx) => {
      const [, verb, id] = ctx.path.split('/');
      ctx.body = verb === 'ship' ? fail(id) : (order(id) ?? {});
    });
    const server = app.listen(0, '127.0.0.1', () => listening(server));
  },
  // Controllers made by a container and found by their metadata, as Nest does it, over the plain server.
  container() {
    const routes = new Map();
    const controller = (Class) => {
      const instance = new Class({ order, fail });
      for (const [verb, method] of Object.entries(Class.routes)) routes.set(verb, instance[method].bind(instance));
    };
    controller(
      class Orders {
        static routes = { orders: 'show', ship: 'ship' };
        constructor(service) {
          this.service = service;
        }
        show(id) {
          return this.service.order(id) ?? {};
        }
        ship(id) {
          return this.service.fail(id);
        }
      },
    );
    const server = require('node:http').createServer(async (request, response) => {
      const [, verb, id] = request.url.split('/');
      try {
        response.end(JSON.stringify(routes.get(verb)(id)));
      } catch {
        response.writeHead(500).end();
      }
    });
    server.listen(0, '127.0.0.1', () => listening(server));
  },
};

frameworks[process.argv[2]]();
