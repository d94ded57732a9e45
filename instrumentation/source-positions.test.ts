import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emptyResource } from '@opentelemetry/resources';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LightLoggerProvider } from './log-records.ts';
import { SourcePositions } from './source-positions.ts';
import { LightTracerProvider } from './spans.ts';

let folder: string;
const SOURCE = `interface Order { id: number }

export function ship(order: Order): never {
  throw new Error(\`order \${order.id} has no address\`);
}
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'source-positions-'));
  await writeFile(join(folder, 'ship.ts'), SOURCE);
  await writeFile(
    join(folder, 'main.ts'),
    "import { ship } from './ship.ts';\nexport const run = () => ship({ id: 7 });\n",
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each(['linked', 'inline'] as const)(
  'points a bundle with a source map that is %s to the sources',
  async (sourcemap) => {
    const error = await thrownBy(sourcemap);
    expect(error.stack).not.toContain('ship.ts');
    for (const attributes of recorded(error)) {
      expect(attributes).toMatchObject({
        'exception.message': 'order 7 has no address',
        'code.file.path': join(folder, 'ship.ts'),
        'code.line.number': 4,
      });
      const [, first, second] = String(attributes['exception.stacktrace']).split('\n');
      expect(first).toMatch(/^ {4}at .*\/ship\.ts:4:9\)$/);
      expect(second).toMatch(/\/main\.ts:2:26\)?$/);
    }
  },
);

it('leaves a stack alone that no map speaks of, and says where it was thrown', async () => {
  const error = await thrownBy(false);
  for (const attributes of recorded(error)) {
    expect(attributes['exception.stacktrace']).toBe(error.stack);
    expect(attributes['code.file.path']).toBe(join(folder, 'false.cjs'));
    expect(attributes['code.line.number']).toBe(1);
  }
});

it('passes over the code of others, survives a map that is none, and lets the app say the place', async () => {
  await writeFile(join(folder, 'bad.cjs'), 'x\n//# sourceMappingURL=bad.cjs.map');
  await writeFile(join(folder, 'bad.cjs.map'), 'no JSON');
  const stack = `Error: no
    at node:internal/x:1:1
    at lib (/app/node_modules/lib/index.js:3:4)
    at async Own.method (file://${folder}/bad.cjs:1:1)`;
  const [onSpan] = recorded({ name: 'Error', message: 'no', stack });
  expect(onSpan).toMatchObject({
    'exception.stacktrace': stack,
    'code.file.path': join(folder, 'bad.cjs'),
    'code.function.name': 'Own.method',
    'code.column.number': 1,
  });
  const [, onLog] = recorded({ name: 'Error', message: 'no', stack }, { 'code.file.path': 'said.ts' });
  expect(onLog!['code.file.path']).toBe('said.ts');
});

async function thrownBy(sourcemap: 'linked' | 'inline' | false): Promise<Error> {
  const outfile = join(folder, `${sourcemap}.cjs`);
  const entryPoints = [join(folder, 'main.ts')];
  await build({ entryPoints, outfile, sourcemap, bundle: true, minify: true, format: 'cjs', platform: 'node' });
  try {
    createRequire(import.meta.url)(outfile).run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** The attributes of the exception on its span and on its log record. */
function recorded(exception: Error, said = {}): Record<string, unknown>[] {
  const spans: ReadableSpan[] = [];
  const logs: ReadableLogRecord[] = [];
  const idle = { onStart() {}, async forceFlush() {}, async shutdown() {} };
  const positions = new SourcePositions();
  const spanSink = { ...idle, onEnd: (span: ReadableSpan) => void spans.push(span) };
  const span = new LightTracerProvider(emptyResource(), [positions, spanSink]).getTracer('t').startSpan('s');
  span.recordException(exception);
  span.end();
  const logSink = { ...idle, onEmit: (record: ReadableLogRecord) => void logs.push(record) };
  new LightLoggerProvider(emptyResource(), [positions, logSink]).getLogger('t').emit({ exception, attributes: said });
  return [spans[0]!.events[0]!.attributes!, logs[0]!.attributes];
}
