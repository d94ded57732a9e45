import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { accessSync, constants, globSync, readFileSync } from 'node:fs';
import { chown, mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** A real server for tests. `stop` is idempotent, ends it whoever is still connected, and leaves no files behind. */
export interface LocalServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** What this file must know of a server to find, install and run it. */
export interface ServerKind {
  readonly name: string;
  /** The variable that names a running server to use in place of one of our own. */
  readonly urlVariable: string;
  /** The programs that it takes; all must stand in one directory. */
  readonly programs: readonly string[];
  /** Glob patterns of directories to look in after PATH; of several, the highest version wins. */
  readonly directories: readonly string[];
  /** The package to install, by package manager. */
  readonly packages: { readonly 'apt-get': string; readonly dnf: string; readonly brew: string };
  /** True for a server that refuses to run as root: it then runs as an unprivileged user. */
  readonly refusesRoot: boolean;
  /** The command to run, given the directory of the programs, a fresh directory for its data, and a free port. */
  command(programDir: string, dataDir: string, port: number): readonly string[];
  url(port: number): string;
}

/**
 * The server that `kind.urlVariable` names; else a throw-away one from local programs on a free loopback port; else the
 * same after installing them, as root on Debian or Ubuntu.
 *
 * @throws Error that says what to type, when there is no such server and none can be installed.
 */
export async function startLocalServer(kind: ServerKind): Promise<LocalServer> {
  const given = process.env[kind.urlVariable];
  if (given) return { url: given, stop: async () => {} };

  let programDir = findPrograms(kind);
  if (!programDir && canInstall()) {
    await install(kind);
    programDir = findPrograms(kind);
  }
  if (!programDir) throw new Error(whatToType(kind));

  // Neither server can be asked for port 0 and tell what it got, so a port is picked free first; somebody else may take
  // it in between, and then the next one is tried.
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(kind, programDir, await freePort());
    } catch (error) {
      if (attempt === 5 || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

/**
 * Runs the command until our end of its stdin closes, then interrupts its process group and removes its directory. The
 * kernel closes that end however we end, so neither Ctrl-C nor kill -9 of a test run leaves a server or its files behind.
 * Shells start background commands with SIGINT ignored; servers install a handler of their own, the helpers here do not.
 * What the supervisor itself would print goes nowhere: after our death that would be a broken pipe, and its end too.
 */
const SUPERVISOR = `
  trap '' INT
  directory=$1; shift
  exec 3<&0
  "$@" 3<&- </dev/null & server=$!
  exec >/dev/null 2>&1
  { cat <&3; kill -INT 0; } & watcher=$!
  wait "$server"; status=$?
  kill "$watcher"
  rm -rf "$directory"
  exit "$status"
`;

const READY = /ready to accept connections/i;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
/** Of what the server prints we keep this much of the end, for the error message. */
const OUTPUT_CHARS_MAX = 8_192;

async function launch(kind: ServerKind, programDir: string, port: number): Promise<LocalServer> {
  const owner = kind.refusesRoot && process.getuid?.() === 0 ? await unprivilegedUser() : undefined;
  const dataDir = await mkdtemp(join(tmpdir(), `ai-debug-${kind.programs[0]}-`));
  if (owner) await chown(dataDir, owner.uid, owner.gid);

  const child = spawn('sh', ['-c', SUPERVISOR, 'sh', dataDir, ...kind.command(programDir, dataDir, port)], {
    ...owner,
    cwd: dataDir,
    // English messages, for READY. A group of its own, so that a terminal's Ctrl-C does not end the supervisor first.
    env: { ...process.env, LC_ALL: 'C' },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async () => {
    child.stdin.destroy();
    const deadline = setTimeout(() => killGroup(child), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(deadline);
  };
  try {
    await ready(kind, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: kind.url(port), stop };
}

function ready(kind: ServerKind, child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (why: string) => {
      clearTimeout(deadline);
      reject(new Error(`${kind.name} did not start: ${why}\n${output}`));
    };
    const deadline = setTimeout(fail, START_TIMEOUT_MS, `not ready after ${START_TIMEOUT_MS} ms`);
    const read = (chunk: Buffer) => {
      output = (output + chunk).slice(-OUTPUT_CHARS_MAX);
      if (!READY.test(output)) return;
      clearTimeout(deadline);
      resolve();
    };
    // The listeners stay for good: a pipe that nobody reads would block the server once it is full.
    child.stdout!.on('data', read);
    child.stderr!.on('data', read);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => fail(`it ended with status ${code}`));
  });
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    // It ended in the meantime.
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function findPrograms(kind: ServerKind): string | undefined {
  const elsewhere = kind.directories
    .flatMap((pattern) => globSync(pattern))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return [...pathDirectories(), ...elsewhere].find((dir) =>
    kind.programs.every((program) => isExecutable(join(dir, program))),
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const run = promisify(execFile);

/** `postgres` if there is one, else `nobody`, else `postgres` newly made. */
async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  for (const name of ['postgres', 'nobody']) {
    const user = await userIds(name).catch(() => undefined);
    if (user) return user;
  }
  await run('useradd', ['--system', '--no-create-home', '--user-group', 'postgres']);
  return await userIds('postgres');
}

async function userIds(name: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, name])).stdout)),
  );
  return { uid: uid!, gid: gid! };
}

function canInstall(): boolean {
  if (process.getuid?.() !== 0 || !onPath('apt-get')) return false;
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/**
 * A policy-rc.d that answers 101 forbids every package to start its service while it is being installed
 * (invoke-rc.d(8)): the machine gets the programs, not a cluster that runs on the well-known port.
 */
const INSTALL = `
  set -e
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\\nexit 101\\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt-get update
  apt-get install -y --no-install-recommends "$1"
`;

/** Takes turns by a file lock: both servers are wanted at once, and a second test run may be at the same point. */
async function install(kind: ServerKind): Promise<void> {
  const name = kind.packages['apt-get'];
  process.stderr.write(`tests need ${kind.name} and there is none: installing ${name} with apt-get\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    const lock = join(tmpdir(), 'ai-debug-apt.lock');
    const done = run('flock', [lock, 'sh', '-c', INSTALL, 'sh', name], { env, maxBuffer: 64 * 1024 * 1024 });
    done.child.stdin?.end();
    await done;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const output = `${stdout}${stderr}`.slice(-OUTPUT_CHARS_MAX);
    throw new Error(`${whatToType(kind)}\napt-get could not install it:\n${output}`, { cause: error });
  }
}

function whatToType(kind: ServerKind): string {
  const { 'apt-get': apt, dnf, brew } = kind.packages;
  let command = `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${apt}`;
  if (!onPath('apt-get') && onPath('dnf')) command = `sudo dnf install -y ${dnf}`;
  else if (!onPath('apt-get') && onPath('brew')) command = `brew install ${brew}`;
  const places = ['PATH', ...kind.directories].join(', ');
  return [
    `Tests need ${kind.name} and there is none (looked for ${kind.programs.join(' and ')} in ${places}). Type`,
    `  ${command}`,
    'or name a running server that tests may use:',
    `  export ${kind.urlVariable}=${kind.url(0).replace(':0', ':PORT')}`,
  ].join('\n');
}

function onPath(program: string): boolean {
  return pathDirectories().some((dir) => isExecutable(join(dir, program)));
}

function pathDirectories(): string[] {
  return (process.env.PATH ?? '').split(delimiter).filter(Boolean);
}
