/** Answers that a client may keep: sent again only when their data is another. */
import type { Context } from 'koa';
import { hashText } from '../../model/hash.ts';
import type { Answer } from '../answer.ts';

/**
 * Answers with the data and an ETag over it, or with 304 where the client has it already. Weak, as `meta` (when it was read, from
 * which tier) is another each time; over the content, as even an event that never changes learns of the correlation of its trace later.
 */
export function answerTagged(ctx: Context, { data, meta }: Answer<unknown>): void {
  const text = JSON.stringify(data);
  // Kept by the client alone, and asked about each time: what a token may read can end.
  const tag = `"${hashText(text).toString(36)}"`;
  ctx.set({ 'Cache-Control': 'private, no-cache', ETag: `W/${tag}` });
  ctx.vary('Authorization');
  ctx.status = 200;
  // Not Koa's `fresh`: it gives up at the `Cache-Control: no-cache` that fetch adds, and this answer is as new as any.
  const known = ctx.get('if-none-match').split(/\s*,\s*/);
  if (known.includes('*') || known.some((theirs) => theirs.replace(/^W\//, '') === tag)) {
    ctx.body = null;
    ctx.status = 304;
    return;
  }
  ctx.body = `{"data":${text},"meta":${JSON.stringify(meta)}}`;
  ctx.type = 'application/json';
}
