/** The dashboard's files: read once, served from memory. Nothing that a request says becomes part of a path on disk. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Middleware } from 'koa';
import { DebugError } from '../base/errors.ts';

const FILES = [
  { path: '/', file: new URL('./dashboard/index.html', import.meta.url), type: 'text/html; charset=utf-8' },
  {
    path: '/dashboard.css',
    file: new URL('./dashboard/dashboard.css', import.meta.url),
    type: 'text/css; charset=utf-8',
  },
  {
    path: '/dashboard.js',
    file: new URL('./dashboard/dashboard.js', import.meta.url),
    type: 'text/javascript; charset=utf-8',
  },
  { path: '/favicon.svg', file: new URL('./dashboard/favicon.svg', import.meta.url), type: 'image/svg+xml' },
];

export interface StaticFiles {
  load(): Promise<void>;
  serve: Middleware;
}

export function createStatic(): StaticFiles {
  const loaded = new Map<string, { bytes: Buffer; type: string; etag: string }>();
  return {
    async load() {
      for (const { path, file, type } of FILES) {
        const bytes = await readFile(file);
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
      // Asked again each time, answered with 304: an upgrade shows at once.
      ctx.set({ 'Cache-Control': 'no-cache', ETag: found.etag });
      if (ctx.get('if-none-match') === found.etag) {
        ctx.status = 304;
        return;
      }
      ctx.status = 200;
      ctx.type = found.type;
      ctx.body = found.bytes;
    },
  };
}
