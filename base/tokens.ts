/** Who may speak to a port, as what, and whose data that is: bearer tokens (RFC 6750), each with its scopes and its tenant. */
import { createHmac, randomBytes } from 'node:crypto';
import { DebugError } from './errors.ts';
import { DEFAULT_TENANT, TENANT } from './tenant.ts';

/** `ingest` brings telemetry, `read` asks, `admin` changes what is stored and may do the two others. */
export type Scope = 'ingest' | 'read' | 'admin';

/** Who speaks. The tenant comes from here and from nowhere else, never from what is sent. */
export interface Principal {
  /** For logs and audits: scopes, tenant and the entry's position, `ingest@acme #2`; never the token. */
  readonly name: string;
  readonly tenant: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** @param authorization as {@link credentialsOf} has it  @throws DebugError UNAUTHENTICATED unless it names a token that is known */
export type Authenticate = (authorization: string | undefined) => Principal;

export interface Tokens {
  authenticate: Authenticate;
  /** From now on these tokens and no others. @throws DebugError INVALID, and nothing changes, when there are none or one cannot be read */
  replace(entries: readonly string[]): void;
  /** Every tenant that a token names, sorted; the default one where there are no tokens. */
  tenants(): readonly string[];
}

/**
 * @param entries `TOKEN` for every scope on the default tenant, else `scope[+scope…][@tenant]:TOKEN`. Without any, everybody is let
 * in as anybody: then only loopback is listened to.
 * @throws DebugError INVALID that names entries by their position
 */
export function createTokens(entries: readonly string[]): Tokens {
  // Tokens are looked up by a keyed hash that nobody outside can compute: how long a look-up takes tells nothing of a token.
  const key = randomBytes(32);
  const digest = (token: string) => createHmac('sha256', key).update(token).digest('base64');
  const read = (entries: readonly string[]) =>
    new Map(parseEntries(entries).map(({ token, principal }) => [digest(token), principal]));
  let known = read(entries);

  return {
    authenticate(authorization) {
      if (known.size === 0) return ANYBODY;
      const token = tokenOf(authorization);
      if (token === undefined) throw new DebugError('UNAUTHENTICATED', 'a bearer token is required');
      const principal = known.get(digest(token));
      if (principal === undefined) throw new DebugError('UNAUTHENTICATED', 'the bearer token is not known');
      return principal;
    },
    replace(entries) {
      if (entries.length === 0)
        throw new DebugError('INVALID', 'no token is left: nobody could tell that from an open door');
      known = read(entries);
    },
    tenants: () =>
      known.size === 0 ? [DEFAULT_TENANT] : [...new Set([...known.values()].map((p) => p.tenant))].sort(),
  };
}

export function createAuthenticate(entries: readonly string[]): Authenticate {
  return createTokens(entries).authenticate;
}

/** @throws DebugError FORBIDDEN unless the principal has one of the scopes */
export function requireScope(principal: Principal, ...scopes: readonly Scope[]): void {
  if (scopes.some((scope) => principal.scopes.has(scope))) return;
  throw new DebugError('FORBIDDEN', `this takes a token of scope ${scopes.join(' or ')}`);
}

/**
 * What a request says of itself: its `Authorization`, or its `X-Api-Key` as if it were a bearer token. A request that says it twice is
 * known to nobody, for a proxy in front may have looked at the other one.
 * @param headers those of `IncomingMessage.headersDistinct`
 */
export function credentialsOf(headers: NodeJS.Dict<string[]>): string | undefined {
  const said = [...(headers.authorization ?? []), ...(headers['x-api-key'] ?? []).map((key) => `Bearer ${key}`)];
  return said.length <= 1 ? said[0] : '';
}

const SCOPES: readonly Scope[] = ['ingest', 'read', 'admin'];
const ANYBODY: Principal = { name: 'anybody', tenant: DEFAULT_TENANT, scopes: new Set(SCOPES) };
// RFC 6750: it has no colon and no at sign, which is what entries are told from tokens by.
const TOKEN68 = /^[A-Za-z0-9._~+/-]+=*$/;

/** Of `Bearer TOKEN`, or of `Basic` the password: some exporters can say nothing else. */
function tokenOf(authorization = ''): string | undefined {
  const [, scheme, value] = /^(bearer|basic) +([A-Za-z0-9._~+/-]+=*) *$/i.exec(authorization) ?? [];
  if (scheme?.toLowerCase() !== 'basic') return value;
  return /^[^:]*:(.+)$/s.exec(Buffer.from(value!, 'base64').toString())?.[1];
}

function parseEntries(entries: readonly string[]): { token: string; principal: Principal }[] {
  const parsed: { token: string; principal: Principal }[] = [];
  const seen = new Map<string, number>();
  for (const [i, entry] of entries.entries()) {
    const position = i + 1;
    const wrong = (what: string) => new DebugError('INVALID', `token ${position} ${what}`);
    const colon = entry.indexOf(':');
    const [said = '', tenant = DEFAULT_TENANT, ...rest] = colon < 0 ? ['all'] : entry.slice(0, colon).split('@');
    const token = entry.slice(colon + 1);
    if (!TOKEN68.test(token)) throw wrong('must be letters, digits and -._~+/ only (RFC 6750)');
    const scopes = colon < 0 ? SCOPES : (said.split('+') as Scope[]);
    if (rest.length > 0 || !scopes.every((scope) => SCOPES.includes(scope))) {
      throw wrong(`must be TOKEN or scope[+scope][@tenant]:TOKEN, scopes of ${SCOPES.join(', ')}`);
    }
    if (!TENANT.test(tenant)) throw wrong('names a tenant that is not lower-case letters, digits, - and _, at most 63');
    const earlier = seen.get(token);
    if (earlier !== undefined) throw wrong(`is token ${earlier} again`);
    seen.set(token, position);
    parsed.push({
      token,
      principal: {
        name: `${said}@${tenant} #${position}`,
        tenant,
        scopes: new Set(scopes.includes('admin') ? SCOPES : scopes),
      },
    });
  }
  return parsed;
}
