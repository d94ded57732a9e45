import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Config, loadConfig } from '../config.ts';

const root = join(import.meta.dirname, '..');

interface Service {
  build?: string;
  image: string;
  user?: string;
  read_only?: boolean;
  tmpfs?: string[];
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[]; interval: string; timeout: string; retries: number };
  stop_grace_period?: string;
}

const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);

describe.each(services)('%s', (_, service) => {
  it('is health-checked by a program of its own image', () => {
    expect(service.healthcheck).toMatchObject({ interval: expect.any(String), timeout: expect.any(String) });
    expect(service.healthcheck!.test[0]).toBe('CMD');
    for (const argument of service.healthcheck!.test) expect(argument).toEqual(expect.any(String));
  });

  it('is published on loopback only', () => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('runs as a user that is not root, on a root file system that it cannot write', () => {
    expect(service.user).toMatch(/^(?!root$|0)\w+$/);
    expect(service.read_only).toBe(true);
    expect(service.tmpfs).toContain('/tmp');
  });

  it('has the time to stop, and an image that is pinned', () => {
    expect(service.stop_grace_period).toMatch(/^\d+s$/);
    expect(service.image).toMatch(/:\d+\.\d+/);
  });

  it('keeps its data in a volume that is declared', () => {
    for (const volume of service.volumes ?? []) expect(compose.volumes).toHaveProperty(volume.split(':')[0]!);
  });
});

describe('the halves', () => {
  it('are a receiver and a query service', () => {
    expect(ours.map(([name]) => name).sort()).toEqual(['query', 'receiver']);
  });

  it.each(ours)('%s starts once PostgreSQL and Redis are healthy', (_, service) => {
    expect(service.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
    });
  });

  it.each(ours)('%s has settings that the program takes', (name, service) => {
    const config = settingsOf(service);
    expect(config.role).toBe(name);
    expect(new URL(config.pgUrl).hostname).toBe('postgres');
    expect(new URL(config.redisUrl).hostname).toBe('redis');
  });

  it.each(ours)('%s publishes and checks the ports that its role listens on', (_, service) => {
    const config = settingsOf(service);
    const listens =
      config.role === 'receiver' ? [config.otlpGrpcPort, config.otlpHttpPort] : [config.httpPort, config.grpcPort];
    expect(service.ports!.map((port) => Number(port.split(':')[2]))).toEqual(listens);
    const checked = Number(/127\.0\.0\.1:(\d+)\//.exec(service.healthcheck!.test.at(-1)!)![1]);
    expect(listens).toContain(checked);
  });

  it.each(ours)('%s has a health check that Node can parse and that fails where nobody answers', (_, service) => {
    const [cmd, program, flag, script] = service.healthcheck!.test;
    expect([cmd, program, flag]).toEqual(['CMD', 'node', '-e']);
    const nobody = script!.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:9');
    expect(nobody).not.toBe(script);
    expect(spawnSync(process.execPath, ['-e', nobody], { encoding: 'utf8' })).toMatchObject({ status: 1, stderr: '' });
  });

  it.each(ours)('%s keeps its data where its volume is', (_, service) => {
    const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
    const dataDir = /^ENV DEBUG_DATA_DIR=(\S+)$/m.exec(dockerfile)![1];
    expect(service.volumes!.map((volume) => volume.split(':')[1])).toEqual([dataDir]);
  });
});

it.skipIf(!hasCompose())('is what docker compose takes', () => {
  execFileSync('docker', ['compose', '--file', join(root, 'docker-compose.yml'), 'config', '--quiet']);
});

/** What the program makes of a service's command and environment; throws where it would refuse to start. */
function settingsOf({ command, environment }: Service): Config {
  const [verb, ...args] = command!;
  expect(verb).toBe('up');
  const flags = new Map<string, string | boolean>();
  for (let i = 0; i < args.length; i++) {
    const name = args[i]!.replace(/^--/, '');
    flags.set(name, args[i + 1]?.startsWith('--') === false ? args[++i]! : true);
  }
  return loadConfig({ flags, environment: substituted(environment!) });
}

/** `${NAME:-default}` with nothing set. */
function substituted(environment: Record<string, string>): Record<string, string> {
  const entries = Object.entries(environment).map(([name, value]) => [name, value.replace(/\$\{\w+:-(\w*)\}/g, '$1')]);
  return Object.fromEntries(entries);
}

function hasCompose(): boolean {
  return spawnSync('docker', ['compose', 'version']).status === 0;
}
