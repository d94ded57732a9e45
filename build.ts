/**
 * Makes what is published: the server as JavaScript in dist/, because Node strips no types under node_modules, and the
 * bundle of instrumentation/, which `--import` needs as one file. npm runs it as `prepare`, after every install and before
 * every pack. Nothing in the working tree runs from dist/: `npm start` takes the TypeScript as it is.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, glob, rename, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = import.meta.dirname;
/** The rooms whose files may be needed beside the code: SQL, protocol files, the dashboard, the demo's services. */
const ROOMS = ['base', 'model', 'otlp', 'proto', 'receiver', 'storage', 'insight', 'query', 'commands', 'demo'];
/** What stays at home: sources are compiled instead, and notes have no reader in a package. */
const LEFT_OUT = new Set(['.ts', '.md']);

/** Compiles the server, file for file, into dist/ with the same tree, so that a path relative to a source is right in both. */
export async function buildServer(): Promise<void> {
  // Built aside and swapped in whole: a second build, or a reader of dist/, never sees half of it.
  const fresh = join(ROOT, `dist.${process.pid}`);
  try {
    await compile(fresh);
    for await (const file of glob(`{${ROOMS.join(',')}}/**/*.*`, { cwd: ROOT })) {
      if (!LEFT_OUT.has(extname(file))) await cp(join(ROOT, file), join(fresh, file));
    }
    await rm(join(ROOT, 'dist'), { recursive: true, force: true });
    await rename(fresh, join(ROOT, 'dist'));
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function compile(outDir: string): Promise<void> {
  const args = [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', outDir];
  await promisify(execFile)(process.execPath, args).catch((error) => {
    throw new Error(`tsc failed\n${error.stdout}${error.stderr}`);
  });
}

const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

if (import.meta.main) {
  if (!existsSync(TSC)) {
    // `npm install --omit=dev`: whoever does that runs the sources, or has dist/ already.
    console.error('build: development dependencies are not installed, nothing is built');
  } else {
    const { buildInstrumentation } = await import('./instrumentation/build.ts');
    await Promise.all([buildServer(), buildInstrumentation()]);
  }
}
