import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import type { Answers } from '../../demo/questions.ts';
import type { Fault } from '../../demo/shop.ts';
import { CLI, runProgram, startSystem } from '../support/system.ts';

/** Nobody answers there, so the demo starts a system of its own. */
const NOWHERE = ['--url', 'http://127.0.0.1:9'];
const TIMEOUT = { timeout: 180_000 };

interface Told extends Answers {
  fault: Fault;
  orders: Record<'healthy' | 'after', { placed: number; failed: number }>;
  verdict: { culprit: { component_id: string; node_id: string | null } | null; right: boolean };
}

describe('the demo', () => {
  // Again where the machine was starved meanwhile: then the services were slow, and it is no mistake to say so.
  it('blames nobody when nothing is broken', { ...TIMEOUT, retry: 2 }, async () => {
    const told = await demo('none', ...NOWHERE);
    expect(told.insights).toEqual([]);
    expect(told.verdict).toMatchObject({ culprit: null, right: true });
    expect(told.failure).toBeNull();
    expect(told.orders).toMatchObject({ healthy: { failed: 0 }, after: { failed: 0 } });
    expect(told.health.map(({ component_id, status }) => `${component_id} ${status}`).sort()).toEqual([
      'front healthy',
      'inventory healthy',
      'orders healthy',
    ]);
    expect(told.consistency).toMatchObject({ severity: 'info', confidence_score: 1 });
  });

  it('finds the service in which an exception was thrown, below two that only passed it on', TIMEOUT, async () => {
    const told = await demo('exception', ...NOWHERE);
    expect(told.orders).toMatchObject({ healthy: { failed: 0 }, after: { failed: expect.toSatisfy((n) => n > 0) } });
    expect(told.verdict).toMatchObject({ culprit: { component_id: 'inventory', node_id: 'inventory-1' }, right: true });
    // A prediction names whose next call will fail, wherever it began.
    const found = told.insights.filter(({ insight_type }) => insight_type !== 'prediction');
    for (const { affected_components } of found) expect(affected_components[0]!.id).toBe('inventory');
    expect(told.failure!.root_cause).toMatchObject({ component_id: 'inventory' });
    expect(told.failure!.root_cause!.message).toContain("Cannot read properties of undefined (reading 'findLast')");
    expect(new Set(told.failure!.chain.map(({ component_id }) => component_id))).toEqual(
      new Set(['front', 'orders', 'inventory']),
    );
    expect(told.health.filter(({ status }) => status !== 'healthy').map(({ component_id }) => component_id)).toContain(
      'inventory',
    );
    expect(told.consistency).toMatchObject({ severity: 'info' });
  });

  it('finds the service whose store is locked, behind a front that only waits', TIMEOUT, async () => {
    const told = await demo('slow', ...NOWHERE);
    expect(told.verdict).toMatchObject({ culprit: { component_id: 'orders' }, right: true });
    const found = told.insights.filter(({ insight_type }) => insight_type !== 'prediction');
    for (const { affected_components } of found) expect(affected_components[0]!.id).toBe('orders');
    expect(told.failure).toBeNull();
    expect(told.consistency).toMatchObject({ severity: 'info' });
  });

  it('finds the replica that missed a write, in a system that was running already', TIMEOUT, async () => {
    const system = await startSystem();
    try {
      const told = await demo('divergence', '--url', system.http, '--otlp', system.otlpHttp);
      expect(told.verdict).toMatchObject({
        culprit: { component_id: 'inventory', node_id: 'inventory-2' },
        right: true,
      });
      for (const { affected_components } of told.insights) expect(affected_components[0]!.id).toBe('inventory');
      expect(told.consistency!.severity).not.toBe('info');
      expect(told.consistency!.summary).toContain('inventory-2');
      expect(told.failure).toBeNull();
    } finally {
      await system.stop();
    }
  });

  it('leaves nothing behind when it is interrupted while orders wait', TIMEOUT, async () => {
    const temporary = await mkdtemp(join(tmpdir(), 'ai-debug-demo-test-'));
    const program = spawn(process.execPath, [CLI, 'demo', '--fault', 'slow', '--seconds', '6', ...NOWHERE], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let url = '';
    for await (const line of createInterface(program.stdout)) {
      url = /http:\S+/.exec(line)?.[0] ?? url;
      if (line.startsWith('fault')) setTimeout(() => program.kill('SIGINT'), 1_000);
    }
    if (program.exitCode === null) await once(program, 'exit');
    expect(program.exitCode).toBe(1);
    expect(await readdir(temporary)).toEqual([]);
    await expect(fetch(url)).rejects.toThrow();
    await rm(temporary, { recursive: true });
  });

  it('tells people what it heard, and refuses a fault that it does not know', TIMEOUT, async () => {
    expect(await runProgram('demo', '--fault', 'gremlins')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("none, exception, slow, divergence, not 'gremlins'"),
    });
    const { code, stdout } = await runProgram('demo', '--fault', 'exception', '--seconds', '6', ...NOWHERE);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Which component is unhealthy\?.*Why did this order fail\?.*Which node diverged\?/s);
    expect(stdout).toMatch(/Blamed: inventory-1\nTrue: {3}inventory-1 \(somebody/);
  });
});

async function demo(fault: Fault, ...args: string[]): Promise<Told> {
  const { stdout, stderr, code } = await runProgram('demo', '--fault', fault, '--seconds', '6', '--json', ...args);
  expect(code, stderr + stdout).toBe(0);
  return JSON.parse(stdout);
}
