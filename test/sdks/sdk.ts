/** The SDKs that emit the fixture, each built with its own toolchain: what is missing, how it is built, what it can speak. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export interface Transport {
  readonly protocol: 'grpc' | 'http/protobuf' | 'http/json';
  readonly compression: 'none' | 'gzip' | 'deflate';
}

export interface Sdk {
  /** The folder of its emitter beside this file; its service is called `sdk-<name>`. */
  readonly name: 'js' | 'python' | 'go' | 'java';
  /** All that its exporters offer. */
  readonly transports: readonly Transport[];
  /** Why the emitter cannot be built on this machine; null when it can. */
  missing(): Promise<string | null>;
  /**
   * Builds the emitter, once for each state of its sources; only the first time needs a network.
   * @returns the command that runs it, without the arguments that all emitters share
   */
  build(): Promise<readonly string[]>;
}

/** @throws Error with the emitter's output, when an export failed */
export async function emit(
  command: readonly string[],
  { protocol, compression }: Transport,
  to: { readonly grpcUrl: string; readonly httpUrl: string },
  baseTimeNs: bigint,
): Promise<void> {
  const [program, ...before] = command as [string, ...string[]];
  const endpoint = protocol === 'grpc' ? to.grpcUrl : to.httpUrl;
  const options = { protocol, compression, endpoint, 'base-time-ns': `${baseTimeNs}` };
  // An SDK reads its settings and its proxy from the environment too.
  const env = Object.entries(process.env).filter(([name]) => !/^OTEL_|_proxy$/i.test(name));
  await run(program, [...before, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])], {
    env: Object.fromEntries(env),
    timeout: EMIT_TIMEOUT_MS,
  });
}

/** A JVM on two busy cores takes three seconds; exporters give up after ten. */
const EMIT_TIMEOUT_MS = 60_000;

const run = promisify(execFile);
const HERE = import.meta.dirname;
const PROTO = join(HERE, '../../proto');
const CACHE = join(HERE, '../../node_modules/.cache/ai-debug-sdks');

const js: Sdk = {
  name: 'js',
  transports: combine(['grpc', 'http/protobuf', 'http/json'], ['none', 'gzip']),
  missing: async () => null,
  build: async () => [process.execPath, join(HERE, 'js/emit.ts')],
};

const python: Sdk = {
  name: 'python',
  transports: combine(['grpc', 'http/protobuf'], ['none', 'gzip', 'deflate']),
  missing: async () =>
    (await runs('python3', '-c', 'import ensurepip, venv')) ? null : 'python3 with its venv module is not here',
  build: () =>
    cached('python', async (source, cache) => {
      const venv = join(cache, 'venv');
      await run('python3', ['-m', 'venv', venv]);
      await run(join(venv, 'bin/pip'), ['install', '--quiet', '--requirement', join(source, 'requirements.txt')]);
      return [join(venv, 'bin/python'), join(source, 'emit.py')];
    }),
};

const go: Sdk = {
  name: 'go',
  transports: combine(['grpc', 'http/protobuf', 'http/json'], ['none', 'gzip']),
  missing: async () => ((await runs('go', 'version')) ? null : 'go is not here'),
  build: () =>
    cached('go', async (source, cache) => {
      const program = join(cache, 'emit');
      await run('go', ['build', '-buildvcs=false', '-o', program, '.'], { cwd: source });
      return [program];
    }),
};

const java: Sdk = {
  name: 'java',
  transports: combine(['grpc', 'http/protobuf'], ['none', 'gzip']),
  missing: async () => {
    const hasJava = await runs('javac', '--release', '17', '-version');
    return hasJava && (await runs('mvn', '--version')) ? null : 'javac for Java 17 and mvn are not here';
  },
  build: () =>
    cached('java', async (source, cache) => {
      const jars = join(cache, 'jars');
      const classes = join(cache, 'classes');
      const pom = join(source, 'pom.xml');
      await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`]);
      const path = join(jars, '*');
      await run('javac', ['-encoding', 'UTF-8', '-d', classes, '-cp', path, join(source, 'Emit.java')]);
      return ['java', '-cp', [classes, path].join(delimiter), 'Emit'];
    }),
};

export const SDKS: readonly Sdk[] = [js, python, go, java];

/** Why a Python client cannot be built on this machine; null when it can. */
export const pythonMissing = python.missing;

/** Stubs of debug_query.proto, made by protoc's own Python plugin. @returns the interpreter, and the folder of the stubs */
export async function buildPythonQuery(): Promise<{ python: string; stubs: string }> {
  const [python, stubs] = await cached(
    'python-query',
    async (source, cache) => {
      const venv = join(cache, 'venv');
      const stubs = join(cache, 'stubs');
      await run('python3', ['-m', 'venv', venv]);
      await run(join(venv, 'bin/pip'), ['install', '--quiet', '--requirement', join(source, 'requirements.txt')]);
      await mkdir(stubs, { recursive: true });
      const out = [`--proto_path=${PROTO}`, `--python_out=${stubs}`, `--grpc_python_out=${stubs}`];
      await run(join(venv, 'bin/python'), ['-m', 'grpc_tools.protoc', ...out, 'debug/v1/debug_query.proto']);
      return [join(venv, 'bin/python'), stubs];
    },
    PROTO,
  );
  return { python: python!, stubs: stubs! };
}

function combine(protocols: Transport['protocol'][], compressions: Transport['compression'][]): Transport[] {
  return protocols.flatMap((protocol) => compressions.map((compression) => ({ protocol, compression })));
}

async function runs(program: string, ...args: string[]): Promise<boolean> {
  return run(program, args).then(
    () => true,
    () => false,
  );
}

/** The command is kept beside a hash of the sources, and written last: a build that was interrupted is done again. */
async function cached(
  name: string,
  build: (source: string, cache: string) => Promise<string[]>,
  beside?: string,
): Promise<readonly string[]> {
  const source = join(HERE, name);
  const cache = join(CACHE, name);
  const hash = createHash('sha256').update(source);
  for (const file of (await readdir(source)).sort()) hash.update(file).update(await readFile(join(source, file)));
  if (beside !== undefined) hash.update(await readFile(join(beside, 'debug/v1/debug_query.proto')));
  const key = hash.digest('hex');

  const stamp = join(cache, 'built.json');
  const built = await readFile(stamp, 'utf8').then(JSON.parse, () => null);
  if (built?.key === key) return built.command;
  await rm(cache, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  const command = await build(source, cache);
  await writeFile(stamp, JSON.stringify({ key, command }));
  return command;
}
