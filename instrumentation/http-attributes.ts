const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY']);

/** A method that nobody has heard of is a caller's text, and would make a series and an operation of its own: `_OTHER`. */
export function methodOf(method: string | undefined): string {
  const upper = method ?? 'GET';
  if (METHODS.has(upper)) return upper;
  const folded = upper.toUpperCase();
  return METHODS.has(folded) ? folded : '_OTHER';
}

interface Host {
  address: string;
  port?: number;
}

let lastHost: string | undefined;
let lastSplit: Host | undefined;

/** `example.org:8080`, `[::1]:8080`, `example.org`. The last one is remembered: a server is mostly called by one name. */
export function splitHost(host: string): Readonly<Host> {
  if (lastSplit === undefined || host !== lastHost) {
    lastSplit = split(host);
    lastHost = host;
  }
  return lastSplit;
}

function split(host: string): Host {
  const colon = host.lastIndexOf(':');
  if (colon <= host.lastIndexOf(']')) return { address: host };
  const port = Number(host.slice(colon + 1));
  return Number.isInteger(port) && port > 0 ? { address: host.slice(0, colon), port } : { address: host };
}

// The first four are the conventions' own list of signatures; the rest is what people call a secret in a URL.
const SECRET =
  /((?:^|&)(?:awsaccesskeyid|signature|sig|x-goog-signature|x-amz-[a-z-]+|[^=&]*(?:token|passw(?:or)?d|secret|api[_-]?key|auth)[^=&]*)=)[^&]*/gi;

/** A query string whose secrets are blotted out, its names kept. */
export function withoutSecrets(query: string): string {
  return query.replace(SECRET, '$1REDACTED');
}

/** The same for a path that may have a query. */
export function withoutQuerySecrets(path: string): string {
  const at = path.indexOf('?');
  return at < 0 ? path : `${path.slice(0, at)}?${withoutSecrets(path.slice(at + 1))}`;
}
