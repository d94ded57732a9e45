import { LRUCache } from 'lru-cache';
import { DebugError } from '../../base/errors.ts';
import { hashText } from '../../model/hash.ts';
import type { Answer } from '../answer.ts';
import { malformed } from '../answer.ts';

/**
 * Requests that may be sent again (`Idempotency-Key`, draft-ietf-httpapi-idempotency-key-header): the first one with a key is done, the
 * others get its answer, also while it is still being done. One that failed may be tried again.
 */
export class Idempotency {
  readonly #done = new LRUCache<string, { body: bigint; answer: Promise<Answer<unknown>> }>({
    max: KEYS_MAX,
    ttl: KEPT_MS,
  });

  /**
   * @param request what it is about: tenant, method and path
   * @throws DebugError INVALID when the key came with another body before
   */
  once(request: string, key: string, body: string, work: () => Promise<Answer<unknown>>): Promise<Answer<unknown>> {
    if (!KEY.test(key)) throw malformed('Idempotency-Key', 'must be 1 to 255 printable characters');
    const id = `${request} ${key}`;
    const hash = hashText(body);
    const known = this.#done.get(id);
    if (known === undefined) {
      const answer = work();
      this.#done.set(id, { body: hash, answer });
      answer.catch(() => this.#done.delete(id));
      return answer;
    }
    if (known.body === hash) return known.answer;
    throw new DebugError('INVALID', 'this Idempotency-Key came with another body before', {
      reason: 'IDEMPOTENCY_KEY_REUSED',
    });
  }
}

const KEY = /^[\x21-\x7e]{1,255}$/;
const KEYS_MAX = 10_000;
const KEPT_MS = 24 * 3_600_000;
