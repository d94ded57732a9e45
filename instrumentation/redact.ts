import type { AnyValue } from '@opentelemetry/api';

/** Words that name a secret, wherever they stand in a key: `dbPassword`, `api_key`, `x-auth-token`. */
const SECRET_KEY = /passw(or)?d|passphrase|secret|token|api[_-]?key|authorization|cookie|credential|private[_-]?key/i;

/** Numbers are no secrets: `tokens_used: 512` is what somebody wants to see. */
export function redacted(value: AnyValue): AnyValue {
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const copy: Record<string, AnyValue> = {};
  for (const [key, item] of Object.entries(value)) {
    const isText = typeof item === 'string' || item instanceof Uint8Array;
    copy[key] = isText && SECRET_KEY.test(key) ? '[REDACTED]' : redacted(item as AnyValue);
  }
  return copy;
}
