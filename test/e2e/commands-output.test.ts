/** How every command of the program says what it says: on a terminal, into a pipe, without colours, for programs, and when it cannot. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archive } from '../../commands/archive.ts';
import { ask } from '../../commands/ask.ts';
import type { Command } from '../../commands/command.ts';
import { compare } from '../../commands/compare.ts';
import { demo } from '../../commands/demo.ts';
import { doctor } from '../../commands/doctor.ts';
import { explain } from '../../commands/explain.ts';
import { exportBundle } from '../../commands/export.ts';
import { health } from '../../commands/health.ts';
import { importBundles } from '../../commands/import.ts';
import { insights } from '../../commands/insights.ts';
import { mcp } from '../../commands/mcp.ts';
import { replay } from '../../commands/replay.ts';
import { resolve } from '../../commands/resolve.ts';
import { tail } from '../../commands/tail.ts';
import { trace } from '../../commands/trace.ts';
import { up } from '../../commands/up.ts';
import { type RunOptions, run } from '../support/commands.ts';
import { tellIncident } from '../support/incident.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

let system: QuerySystem;
let error: string;
let insight: string;
let bundle: string;
beforeAll(async () => {
  system = await startQuerySystem();
  error = (await tellIncident(system.url)).at(-1)!;
  const made = await fetch(`${system.url}/api/debug/insights/generate`, { method: 'POST' });
  insight = ((await made.json()) as { data: { id: string }[] }).data[0]!.id;
  const folder = await mkdtemp(join(tmpdir(), 'ai-debug-commands-'));
  bundle = join(folder, 'bundle.jsonl');
  await writeFile(bundle, await (await fetch(`${system.url}/api/debug/export/incident-order-30`)).text());
});
afterAll(async () => {
  await system?.stop();
  await rm(join(bundle, '..'), { recursive: true, force: true });
});

/** What asks a server, with arguments that are answered, and the exit codes that the answer may have. */
const ASKING: [name: string, command: Command, args: () => string[], codes: number[]][] = [
  ['ask', ask, () => ['what is wrong?'], [0, 1]],
  ['ask --budget', ask, () => ['why did order 30 fail?', '--budget', '300'], [0, 1]],
  ['health', health, () => [], [1]],
  ['health of one', health, () => ['inventory'], [1]],
  ['explain', explain, () => [error], [0]],
  ['trace', trace, () => ['incident-order-30'], [1]],
  ['compare', compare, () => ['inventory', 'orders'], [0, 1]],
  ['insights', insights, () => [], [0, 1]],
  ['insights of one', insights, () => [insight], [0, 1]],
  ['resolve', resolve, () => [insight, '--notes', 'restarted the database'], [0]],
  ['import', importBundles, () => [bundle], [0]],
  ['doctor', doctor, () => [], [0, 1]],
];

/** What runs until it is stopped, or changes the machine. */
const OTHERS: [name: string, command: Command][] = [
  ['up', up],
  ['demo', demo],
  ['tail', tail],
  ['mcp', mcp],
  ['export', exportBundle],
  ['archive', archive],
  ['replay', replay],
];

const ESCAPE = '\u001b';

const WAYS: [way: string, options: Partial<RunOptions>, colours: boolean][] = [
  ['on a terminal', { tty: true }, true],
  ['with NO_COLOR', { tty: true, environment: { NO_COLOR: '1' } }, false],
  ['on a dumb terminal', { tty: true, environment: { TERM: 'dumb', COLORTERM: '' } }, false],
  ['into a pipe', {}, false],
];

describe.each(ASKING)('%s', (_, command, args, codes) => {
  test.each(WAYS)('%s', async (_, options, colours) => {
    const { code, out, err } = await run(command, [...args(), '--url', system.url], options);
    expect(codes).toContain(code);
    expect(out).toMatch(/\S.*\n$/s);
    if (!colours) expect(out + err).not.toContain(ESCAPE);
  });

  test('--json is one document and nothing else, also on a terminal', async () => {
    const { code, out, err } = await run(command, [...args(), '--json', '--url', system.url], { tty: true });
    expect(codes).toContain(code);
    expect(out.trimEnd()).not.toContain('\n');
    expect(JSON.parse(out)).toEqual(expect.any(Object));
    expect(out + err).not.toContain(ESCAPE);
  });

  // What is to be copied stands in one line: what doctor says to type, the files of import.
  test.skipIf(command === doctor || command === importBundles)('fits a terminal of 80 characters', async () => {
    const narrow = { tty: true, columns: 80, environment: { NO_COLOR: '1' } };
    const { out } = await run(command, [...args(), '--url', system.url], narrow);
    expect(out.split('\n').filter((line) => [...line].length > 80)).toEqual([]);
  });

  test('where nobody answers it says what to type, on stderr, and ends with 3', async () => {
    for (const more of [[], ['--json']]) {
      const { code, out, err } = await run(command, [...args(), ...more, '--url', 'http://127.0.0.1:1']);
      expect(code).toBe(3);
      expect(command === doctor ? out : err).toContain('ai-debug up');
      if (command !== doctor) expect(out).toBe('');
    }
  });

  test('a server that is not ours is said to be none', async () => {
    const { code, err } = await run(command, [...args(), '--url', 'ftp://nowhere']);
    expect(code).toBe(2);
    expect(err).toMatch(/--url takes an http\(s\) URL.*--help/);
  });
});

describe('every command', () => {
  const all = [...ASKING.map(([name, command]) => [name.split(' ')[0]!, command] as const), ...OTHERS];

  test.each(all)('%s --help says how it is used and what its exit codes are', async (name, command) => {
    for (const flag of ['--help', '-h']) {
      const { code, out, err } = await run(command, [flag], { tty: true });
      expect(code).toBe(0);
      expect(err).toBe('');
      expect(out).toContain(`ai-debug ${name}`);
      expect(out).toContain('Exit code 0');
      expect(out).not.toContain(ESCAPE);
      expect(out.split('\n').filter((line) => line.length > 160)).toEqual([]);
    }
  });

  test.each(all)('%s refuses an option that it does not know, on stderr, with 2', async (_, command) => {
    const { code, out, err } = await run(command, command === archive ? ['status', '--colour-me'] : ['--colour-me']);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/colour-me.*--help\)\n$/s);
  });
});
