/** Bearer tokens (RFC 6750): who may speak to a port. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { DebugError } from './errors.ts';

/** @throws DebugError UNAUTHENTICATED unless the value of an `Authorization` header carries a token that is known */
export type Authenticate = (authorization: string | undefined) => void;

/** @param tokens those that are known; without any, everybody is let in: then only loopback is listened to */
export function createAuthenticate(tokens: readonly string[]): Authenticate {
  // Hashes have one length and are compared in constant time: the answer's time tells nothing of a token.
  const known = tokens.map(digest);
  return (authorization) => {
    if (known.length === 0) return;
    const token = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw new DebugError('UNAUTHENTICATED', 'a bearer token is required');
    const sent = digest(token);
    if (!known.map((hash) => timingSafeEqual(hash, sent)).includes(true)) {
      throw new DebugError('UNAUTHENTICATED', 'the bearer token is not known');
    }
  };
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
