import type { IncomingMessage } from 'node:http';
import type { TextMapGetter } from '@opentelemetry/api';

/**
 * One header of a request, read where the parser has left it: `request.headers` makes an object of all of them the first time that it is
 * asked, which an app of plain `http` may never do.
 *
 * @param name in lower case
 */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const { rawHeaders } = request;
  // A request that a test or a serverless adapter has made up has an object only.
  if (rawHeaders === undefined || rawHeaders.length === 0) return joined(request, name);
  let found: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i]!;
    if (given.length !== name.length || (given !== name && given.toLowerCase() !== name)) continue;
    // Which one counts where there are two, or whether they are joined, Node decides header by header.
    if (found !== undefined) return joined(request, name);
    found = rawHeaders[i + 1];
  }
  return found;
}

function joined(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers?.[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

export const REQUEST_HEADERS: TextMapGetter<IncomingMessage> = {
  get: headerOf,
  keys: (request) => Object.keys(request.headers),
};
