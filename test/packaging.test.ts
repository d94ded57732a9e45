/**
 * What is published, installed as a stranger would: packed, installed by the host's own npm and Node into an empty folder, run.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildServer } from '../build.ts';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);
const UP = ['up', '--json', '--otlp-grpc-port=0', '--otlp-http-port=0', '--http-port=0', '--grpc-port=0'];

/** The stranger's environment: without our node_modules on PATH, and without what `npm test` says about this package. */
const environment = Object.fromEntries(
  Object.entries(process.env)
    .filter(([name]) => !/^(npm_|node_options$|init_cwd$|debug_|vitest)/i.test(name))
    .map(([name, value]) => [name, name === 'PATH' ? withoutOurBins(value!) : value]),
);

let folder: string;
let installed: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ai-debug-packaging-'));
  // Without npm's `prepare`: it would rebuild the instrumentation under the feet of other tests.
  await buildServer();
  const packed = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    env: environment,
  });
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, packed.stdout.trim())];
  await run('npm', install, { cwd: folder, env: environment });
  installed = join(folder, 'node_modules', 'ai-debug');
}, 180_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the package', () => {
  it('holds JavaScript and what it reads, no sources and no tests', async () => {
    const files = await readdir(join(installed, 'dist'), { recursive: true });
    expect(files.filter((file) => /\.ts$|\.test\.|\.md$/.test(file))).toEqual([]);
    expect(files).toContain('cli.js');
    expect(files.some((file) => file.endsWith('.sql'))).toBe(true);
    expect(files.some((file) => file.endsWith('.proto'))).toBe(true);
  });

  it("brings the instrumentation, which is on no registry, where the demo's services find it", async () => {
    const app = `import { snapshot } from '@ai-debug/instrumentation'; process.stdout.write(typeof snapshot)`;
    const args = ['--import', '@ai-debug/instrumentation/register', '--input-type=module', '--eval', app];
    const cwd = join(installed, 'dist/demo/services');
    // What another run has left in this user's spool would be delivered here, and said.
    const env = { ...environment, AI_DEBUG_SPOOL_DIR: join(folder, 'spool') };
    expect(await run(process.execPath, args, { cwd, env })).toEqual({ stdout: 'function', stderr: '' });
  });
});

describe('ai-debug', () => {
  it('knows its version', async () => {
    const { stdout } = await run('npx', ['ai-debug', 'version'], { cwd: folder, env: environment });
    expect(stdout).toBe('0.1.0\n');
  });

  it('comes up by npx, answers, and goes with it', async () => {
    const program = spawn('npx', ['ai-debug', ...UP, '--data-dir=data'], {
      cwd: folder,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { http } = JSON.parse(await firstLine(program)) as { http: string };
    expect((await fetch(`${http}/healthz`)).status).toBe(200);
    // npx passes SIGTERM to a shell, which dies of it: the program ends because they are gone.
    program.kill('SIGTERM');
    await vi.waitFor(() => expect(fetch(`${http}/healthz`)).rejects.toThrow(), 10_000);
  });

  it('hands over to the Node beside it when started by one that is too old, and stops when it is told to', async () => {
    // The first Node on the stranger's PATH; where that is new enough, this starts the same program without a hand-over.
    const program = spawn('node', [join(installed, 'bin/ai-debug.js'), ...UP, '--data-dir=again'], {
      cwd: folder,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { http } = JSON.parse(await firstLine(program)) as { http: string };
    program.kill('SIGTERM');
    expect(await once(program, 'exit')).toEqual([0, null]);
    await expect(fetch(`${http}/healthz`)).rejects.toThrow();
  });
});

async function firstLine(program: ChildProcess): Promise<string> {
  let errors = '';
  program.stderr!.on('data', (text) => {
    errors += text;
  });
  for await (const line of createInterface(program.stdout!)) {
    program.stdout!.resume();
    return line;
  }
  throw new Error(`ended without a word on stdout\n${errors}`);
}

function withoutOurBins(path: string): string {
  return path
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules') && !folder.includes('node-gyp-bin'))
    .join(delimiter);
}
