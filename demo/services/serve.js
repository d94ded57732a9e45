import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';

/**
 * Serves JSON on a free loopback port and says which on stdout. `routes` maps `POST /orders` to a function of the body that
 * returns `[status, body]`; what it throws is logged and answered with 502 if another service was to blame, else 500.
 */
export function serve(routes) {
  const server = createServer(async (request, response) => {
    const route = routes[`${request.method} ${request.url}`];
    const answer = (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (route === undefined) return answer(404, { error: 'no such route' });
    try {
      answer(...(await route(request.method === 'GET' ? null : await json(request))));
    } catch (error) {
      console.error(`${request.method} ${request.url} failed:`, error);
      answer(error instanceof CallError ? 502 : 500, { error: error.message, ...error.details });
    }
  });
  server.listen(0, '127.0.0.1', () => process.stdout.write(`listening http://127.0.0.1:${server.address().port}\n`));
  const stop = () => {
    server.close();
    server.closeIdleConnections();
  };
  process.once('SIGTERM', stop);
  // Whoever started this holds the other end of stdin: it goes with its owner, however that ends.
  process.stdin.once('end', stop).resume();
  process.stdin.unref?.();
}

/** Asks another service. @throws CallError when it does not answer with success */
export async function call(service, method, url, body) {
  const response = await fetch(url, { method, body: JSON.stringify(body), signal: AbortSignal.timeout(20_000) });
  const answer = await response.json();
  if (!response.ok) throw new CallError(`${service} answered ${response.status}: ${answer.error}`);
  return answer;
}

class CallError extends Error {
  name = 'CallError';
}
