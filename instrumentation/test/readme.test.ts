/**
 * The README's own lines, run as they stand there by somebody who has packed and installed the package in an empty folder. Another Node
 * is tried by naming its program in INSTRUMENTATION_TEST_NODE.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type FarEnd, startFarEnd } from './far-end.ts';
import { ensureBuilt, NODE } from './run-app.ts';

const PACKAGE = join(import.meta.dirname, '..');
const run = promisify(execFile);

/** What a snippet takes for given. */
const GIVEN = {
  api: 'const order = { id: 7 }; const reserve = async () => ({ left: 4 });',
  sdk: `import { NodeSDK } from '@opentelemetry/sdk-node';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { trace } from '@opentelemetry/api';
const yourOwn = new HttpInstrumentation();`,
};

let folder: string;
let readme: string;
let farEnd: FarEnd;

beforeAll(async () => {
  await ensureBuilt();
  readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
  folder = await mkdtemp(join(tmpdir(), 'ai-debug-readme-'));
  const packed = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: PACKAGE });
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, packed.stdout.trim())];
  await run('npm', install, { cwd: folder });
  // The app's own: from here, as it is some hundred packages.
  await mkdir(join(folder, 'node_modules/@opentelemetry'), { recursive: true });
  for (const name of ['sdk-node', 'instrumentation-http'])
    await symlink(
      join(PACKAGE, '../node_modules/@opentelemetry', name),
      join(folder, 'node_modules/@opentelemetry', name),
    );
}, 120_000);
beforeEach(async () => {
  farEnd = await startFarEnd();
});
afterEach(() => farEnd.close());
afterAll(() => rm(folder, { recursive: true, force: true }));

it('pulls no more packages than the hooks need, and nothing of a server', async () => {
  const { packages } = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')) as { packages: object };
  const names = Object.keys(packages).map((path) => path.slice('node_modules/'.length));
  expect(names).toEqual(expect.arrayContaining(['@ai-debug/instrumentation', '@opentelemetry/api']));
  expect(names.length).toBeLessThan(20);
});

it.each(['module', 'commonjs'])('the flag and the API, in a package of type %s', async (type) => {
  await app(type, GIVEN.api, snippet("from '@ai-debug/instrumentation'"));
  await shell(line('node --import'));
  expect(snapshots()).toEqual([{ operation: 'order-7', checkpoint: 'after-reserve', state: { left: 4 } }]);
  expect(farEnd.logs[0]!.resource['service.name']).toBe('orders');
  await shell(`${/`(NODE_OPTIONS=[^`]+)`/.exec(readme)![1]} node app.js`);
  expect(snapshots()).toHaveLength(2);
});

it.each(['module', 'commonjs'])('an SDK of the app, in a package of type %s', async (type) => {
  const work = "trace.getTracer('app').startActiveSpan('work', (span) => span.end());";
  await app(type, GIVEN.sdk, `${snippet('debugSdkParts')}\n${work}`);
  await shell('node app.js');
  expect(farEnd.spans.map(({ name }) => name)).toEqual(['work']);
  expect(farEnd.spans[0]!.attributes['debug.correlation_id']).toBe(farEnd.spans[0]!.traceId);
});

function snapshots() {
  return farEnd.logs.map(({ attributes, body }) => ({
    operation: attributes['debug.operation_id'],
    checkpoint: attributes['debug.checkpoint'],
    state: body,
  }));
}

/** The one block of JavaScript that has this in it. */
function snippet(words: string): string {
  const blocks = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code!);
  const found = blocks.filter((code) => code.includes(words));
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** The one line of shell that has this in it. */
function line(words: string): string {
  const blocks = [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, code]) => code!);
  const found = blocks.flatMap((code) => code.split('\n')).filter((each) => each.includes(words));
  expect(found).toHaveLength(1);
  return found[0]!;
}

async function app(type: string, given: string, code: string): Promise<void> {
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type }));
  const text = `${given}\n${code}`;
  const required = text.replace(/import (\{[^}]*\}) from ('[^']+')/g, 'const $1 = require($2)');
  await writeFile(join(folder, 'app.js'), type === 'module' ? text : `(async () => {\n${required}\n})();`);
}

async function shell(command: string): Promise<void> {
  const env = {
    PATH: [dirname(NODE), process.env.PATH].join(delimiter),
    OTEL_EXPORTER_OTLP_ENDPOINT: farEnd.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_METRICS_EXPORTER: 'none',
    AI_DEBUG_SPOOL_DIR: join(folder, 'spool'),
  };
  expect(await run('sh', ['-c', command], { cwd: folder, env })).toEqual({ stdout: '', stderr: '' });
}
