import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import packageJson from './package.json' with { type: 'json' };

/**
 * Makes `dist/`: what `files` in package.json publishes. Node strips no types under node_modules, so the package is
 * JavaScript; and the SDK is bundled into it, because to load it file by file costs 0.8 s of every start, bundled 0.2 s.
 */
export async function buildInstrumentation(): Promise<void> {
  const dist = join(HERE, 'dist');
  // Built aside and swapped in whole: an app that starts meanwhile never sees half of it.
  const fresh = join(HERE, `dist.${process.pid}`);
  const register: BuildOptions = {
    ...SHARED,
    entryPoints: ['register.ts', 'sdk.ts'],
    inject: ['unref-timers.ts'],
    outdir: fresh,
    metafile: true,
  };
  const api: BuildOptions = { ...SHARED, entryPoints: ['index.ts'], outdir: fresh };
  try {
    const [{ metafile }] = await Promise.all([
      build({ ...register, ...ESM }),
      build({ ...register, ...CJS }),
      build({ ...api, ...ESM }),
      build({ ...api, ...CJS }),
    ]);
    await writeFile(join(fresh, 'THIRD-PARTY-LICENSES.txt'), await licensesOf(metafile!));
    for (const suffix of ['d.ts', 'd.cts']) {
      await copyFile(join(HERE, 'api.d.ts'), join(fresh, `index.${suffix}`));
      await copyFile(join(HERE, 'sdk.d.ts'), join(fresh, `sdk.${suffix}`));
    }
    await rm(dist, { recursive: true, force: true });
    await rename(fresh, dist).catch((error) => {
      // Another build came in between; it is as fresh as this one.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

const HERE = import.meta.dirname;

/** See `unreached-exporters.ts`. */
const withoutUnreachedExporters: Plugin = {
  name: 'without-unreached-exporters',
  setup({ onResolve }) {
    onResolve({ filter: /^@opentelemetry\/exporter-/ }, ({ importer }) =>
      importer.includes('/sdk-node/') ? { path: join(HERE, 'unreached-exporters.ts') } : undefined,
    );
  },
};

const SHARED: BuildOptions = {
  absWorkingDir: HERE,
  bundle: true,
  platform: 'node',
  target: 'node22.15',
  // The API and the two hooks hold process-wide state, so a copy that the app has too must be the same one. grpc-js is
  // the app's, and must not be loaded before it is instrumented.
  external: [
    '@opentelemetry/api',
    'import-in-the-middle',
    'import-in-the-middle/*',
    'require-in-the-middle',
    '@grpc/grpc-js',
  ],
  // The packages of one OpenTelemetry release pin each other to patch versions, and npm nests up to six copies of one.
  // An alias to itself resolves from here, whoever imports: one copy of each (786 kB without, 564 kB with).
  alias: Object.fromEntries(
    Object.keys(packageJson.devDependencies)
      .filter((name) => name.startsWith('@opentelemetry/'))
      .map((name) => [name, name]),
  ),
  plugins: [withoutUnreachedExporters],
  legalComments: 'eof',
  logLevel: 'warning',
};

const ESM: BuildOptions = {
  format: 'esm',
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  // Keeps what is imported lazily out of the entry: grpc-js above all.
  splitting: true,
  chunkNames: 'lazy/[name]-[hash]',
};

const CJS: BuildOptions = {
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { 'import.meta.url': 'moduleUrl', 'import.meta.filename': 'undefined' },
  banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
};

/** The licenses of the packages whose code is in the bundle, each text once. */
async function licensesOf({ inputs }: Metafile): Promise<string> {
  const packages = new Set<string>();
  for (const input of Object.keys(inputs)) {
    const [, folder] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
    if (folder !== undefined) packages.add(folder);
  }
  const namesByText = new Map<string, string[]>();
  for (const folder of [...packages].sort()) {
    const { name, version } = JSON.parse(await readFile(join(HERE, folder, 'package.json'), 'utf8'));
    const text = (await readFile(join(HERE, folder, 'LICENSE'), 'utf8')).trim();
    namesByText.set(text, [...(namesByText.get(text) ?? []), `${name} ${version}`]);
  }
  return [...namesByText].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`).join(`\n${'-'.repeat(80)}\n\n`);
}

if (import.meta.main) await buildInstrumentation();
