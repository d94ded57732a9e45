/** The dashboard's files: read once, served from memory. Nothing that a request says becomes part of a path on disk. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Middleware } from 'koa';
import { DebugError } from '../base/errors.ts';

const FILES: Record<string, { file: string; type: string }> = {
  '/': { file: 'index.html', type: 'text/html; charset=utf-8' },
  '/dashboard.css': { file: 'dashboard.css', type: 'text/css; charset=utf-8' },
  '/favicon.svg': { file: 'favicon.svg', type: 'image/svg+xml' },
  '/dashboard.js': { file: 'dashboard.js', type: 'text/javascript; charset=utf-8' },
};

export interface StaticFiles {
  load(): Promise<void>;
  serve: Middleware;
}

/** @param folder that holds the files */
export function createStatic(folder: URL): StaticFiles {
  const loaded = new Map<string, { bytes: Buffer; type: string; etag: string }>();
  return {
    async load() {
      for (const [path, { file, type }] of Object.entries(FILES)) {
        const bytes = await readFile(new URL(file, folder));
        loaded.set(path, { bytes, type, etag: `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"` });
      }
    },
    async serve(ctx, next) {
      const found = loaded.get(ctx.path);
      if (found === undefined) return next();
      if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
        ctx.set('Allow', 'GET, HEAD');
        throw new DebugError('UNSUPPORTED', `${ctx.method} is not for ${ctx.path}`, { reason: 'METHOD_NOT_ALLOWED' });
      }
      ctx.status = 200;
      // Asked again each time, answered with 304: an upgrade shows at once.
      ctx.set({ 'Cache-Control': 'no-cache', ETag: found.etag });
      ctx.type = found.type;
      ctx.body = found.bytes;
      if (ctx.fresh) ctx.status = 304;
    },
  };
}
