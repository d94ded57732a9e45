import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { encode as cl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { encode as o200k } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import { estimateTokens } from './tokens.ts';

const insight = {
  id: '9f0c2a7be14d53c8a6b0d1e2f3948576',
  insight_type: 'error',
  severity: 'critical',
  title: 'Payments refuse cards since 14:02: «card declined by issuer 4711»',
  affected_components: [{ type: 'service', id: 'payment-gateway' }],
  first_seen: '2026-11-22T14:02:11.301482913Z',
  confidence_score: 0.93,
};

const TEXTS: Record<string, string> = {
  json: JSON.stringify([insight, insight]),
  prose: 'The earliest failure behind this error of checkout is in inventory; it said: connection refused. '.repeat(9),
  ids: Array.from({ length: 30 }, () => randomBytes(16).toString('hex')).join(' '),
  uuids: Array.from({ length: 30 }, () => crypto.randomUUID()).join('\n'),
  base64: randomBytes(600).toString('base64'),
  times: Array.from({ length: 30 }, (_, i) => new Date(1.79e12 + i * 1234567).toISOString()).join(','),
  stack: `${new Error('boom').stack}`.repeat(3),
  sql: `SELECT o.id, o.total FROM orders o JOIN items i ON i.order_id = o.id WHERE i.sku IN ('a1','b2') `.repeat(5),
  constants: 'ERROR FATAL ORDER_SERVICE_UNAVAILABLE RETRY_EXHAUSTED '.repeat(9),
  chinese: '库存服务在处理订单时返回错误请检查连接并重试'.repeat(9),
  hindi: 'ऑर्डर संसाधित करते समय सेवा से कनेक्शन टूट गया। '.repeat(9),
  emoji: '🔥🚀💥😀👩‍💻'.repeat(20),
};

describe('the estimate', () => {
  it.each(Object.entries(TEXTS))('of %s is no less than what real tokenizers count', (_, text) => {
    const estimated = estimateTokens(text);
    for (const encode of [o200k, cl100k]) expect(estimated).toBeGreaterThanOrEqual(encode(text).length);
  });

  it('of what answers are made of is at most 1.6 times that', () => {
    for (const name of ['json', 'prose', 'ids', 'uuids', 'times', 'stack'])
      expect(estimateTokens(TEXTS[name]!) / o200k(TEXTS[name]!).length, name).toBeLessThan(1.6);
  });

  it('of nothing is nothing, of anything visible something', () => {
    expect(estimateTokens('')).toBe(0);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (s) => s.trim() === '' || estimateTokens(s) > 0),
    );
  });
});
