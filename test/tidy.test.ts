/**
 * The house rules of docs/architecture.md, checked: which room may import which, no circles, no dead files, and who may touch the
 * process. Each rule is a function of the sources and says what breaks it; each is shown to fail before it is trusted.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, matchesGlob } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Sources by their path from the root. */
type Sources = ReadonlyMap<string, string>;
type Rule = (sources: Sources) => string[];

/** What each room may import besides itself. A room that is not listed is a mistake in this table. */
const DIRECTIONS: Record<string, readonly string[]> = {
  base: [],
  model: ['base/**'],
  proto: [],
  otlp: ['model/**', 'base/**', 'proto/**'],
  receiver: ['otlp/**', 'model/**', 'base/**', 'proto/**'],
  storage: ['otlp/**', 'model/**', 'base/**'],
  insight: ['otlp/**', 'model/**', 'base/**'],
  // The contract of the tiers and what the engine finds, never a store and never an analyzer.
  query: ['storage/{contract,query}.ts', 'insight/{finding,engine}.ts', 'otlp/**', 'model/**', 'base/**', 'proto/**'],
  'config.ts': ['base/**', 'otlp/keys.ts'],
  assembly: ['{storage,insight,model,base}/**', 'config.ts'],
  'collector.ts': ['{query,receiver,assembly,storage,insight,otlp,model,base}/**', 'config.ts'],
  commands: ['collector.ts', 'config.ts', 'demo/*', 'query/mcp/server.ts', 'model/**', 'base/**'],
  'cli.ts': ['commands/**', 'collector.ts', 'config.ts', 'base/**'],
  demo: [],
  instrumentation: [],
  'build.ts': ['instrumentation/build.ts'],
};

/** Folders of one room that are alternatives to each other: what they share lies beside them. */
const APART = [
  ['storage/memory', 'storage/redis', 'storage/postgres', 'storage/embedded', 'storage/archive'],
  ['query/rest', 'query/ws', 'query/grpc', 'query/mcp', 'query/dashboard'],
];

/** Where something else than another source starts a file. */
const ROOTS = [
  'cli.ts',
  'build.ts',
  'commands/end-with-parent.ts',
  'bin/*',
  '*.config.ts',
  'demo/services/{front,orders,inventory}.js',
  'test/support/global-setup.ts',
];
/** Bundled by instrumentation/build.ts, which names them as text. */
const BUNDLED = ['instrumentation/{index,register,sdk,unref-timers,unreached-exporters}.ts'];

const LINES_MAX = 600;
/** By path, with the reason. */
const LONG_FOR_A_REASON: Record<string, string> = {};

const rules: Record<string, Rule> = {
  'a room imports only what lies below it': (sources) =>
    productImports(sources).flatMap(({ from, to }) => {
      const allowed = DIRECTIONS[roomOf(from)];
      if (allowed === undefined) return [`${from} lies in no room that is known`];
      if (roomOf(to) === roomOf(from) || allowed.some((pattern) => matchesGlob(to, pattern))) return [];
      return [`${from} imports ${to}`];
    }),

  'alternatives do not know each other': (sources) =>
    productImports(sources).flatMap(({ from, to }) => {
      const apart = APART.find((folders) => folders.some((folder) => from.startsWith(`${folder}/`)));
      const folder = apart?.find((folder) => to.startsWith(`${folder}/`));
      return folder === undefined || from.startsWith(`${folder}/`) ? [] : [`${from} imports ${to}`];
    }),

  'imports make no circle': (sources) => {
    const graph = Map.groupBy(importsOf(sources), ({ from }) => from);
    const done = new Set<string>();
    const walk = (file: string, path: readonly string[]): string[] => {
      if (path.includes(file)) return [[...path.slice(path.indexOf(file)), file].join(' → ')];
      if (done.has(file)) return [];
      const circles = (graph.get(file) ?? []).flatMap(({ to }) => walk(to, [...path, file]));
      done.add(file);
      return circles;
    };
    return [...graph.keys()].flatMap((file) => walk(file, []));
  },

  'every file is used': (sources) => {
    const graph = Map.groupBy(importsOf(sources), ({ from }) => from);
    const reached = new Set<string>();
    const reach = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { to } of graph.get(file) ?? []) reach(to);
    };
    const files = [...sources.keys()].filter((file) => !file.endsWith('.d.ts'));
    for (const file of files) if (matchesAny(file, [...ROOTS, ...BUNDLED])) reach(file);
    const dead = files.filter((file) => !isTest(file) && !reached.has(file));
    for (const file of files)
      if (file.endsWith('.test.ts') || (isTest(file) && !file.startsWith('test/support/'))) reach(file);
    return [...dead, ...files.filter((file) => file.startsWith('test/support/') && !reached.has(file))];
  },

  'only what talks to people prints': (sources) =>
    linesWith(sources, /\bconsole\.\w/, ['build.ts', 'bin/*', 'demo/services/*', 'instrumentation/console-bridge.ts']),

  'only config.ts and instrumentation read the environment': (sources) =>
    linesWith(sources, /\bprocess\.env\b/, [
      'config.ts',
      'instrumentation/**',
      'bin/*',
      'demo/processes.ts', // hands its own on to children
    ]),

  'only cli.ts reads the arguments': (sources) => linesWith(sources, /\bprocess\.argv\b/, ['cli.ts', 'bin/*']),

  'nothing is left to do': (sources) => linesWith(sources, new RegExp(['TO', 'DO\\b|FIX', 'ME\\b'].join('')), []),

  'SQL lies in storage, and the schema in files': (sources) => [
    ...linesWith(sources, /['"`]\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WITH|COPY)\s/, [
      'storage/**',
      'demo/**',
    ]),
    // Partitions are made by the day, and the table of migrations is there before the first of them.
    ...linesWith(sources, /['"`]\s*(CREATE|ALTER) (TABLE|INDEX|UNIQUE|VIEW)/, [
      'storage/postgres/{partitions,migrate}.ts',
      'demo/**',
    ]),
  ],

  'a file can be read in one sitting': (sources) =>
    [...sources].flatMap(([file, text]) => {
      const lines = text.split('\n').length;
      if (isTest(file)) return [];
      if (lines <= LINES_MAX)
        return LONG_FOR_A_REASON[file] === undefined ? [] : [`${file} needs its exception no more`];
      return LONG_FOR_A_REASON[file] === undefined ? [`${file} has ${lines} lines`] : [];
    }),
};

describe('the house', () => {
  const sources = readSources();

  it.each(Object.entries(rules))('%s', (_, rule) => {
    expect(rule(sources)).toEqual([]);
  });
});

describe('the rules can fail', () => {
  const breaks: [name: string, sources: Record<string, string>, says: string[]][] = [
    [
      'a room imports only what lies below it',
      {
        'model/a.ts': `import type { Log } from '../base/log.ts';\nimport {\n  block,\n} from '../otlp/read.ts';`,
        'otlp/read.ts': '',
        'base/log.ts': '',
        'receiver/b.ts': `export * from '../storage/contract.ts';`,
        'query/c.ts': `import '../storage/contract.ts';\nconst x = await import('../storage/postgres/store.ts');`,
        'storage/contract.ts': '',
        'storage/postgres/store.ts': '',
        'utils/x.ts': `import '../base/log.ts';`,
      },
      [
        'model/a.ts imports otlp/read.ts',
        'receiver/b.ts imports storage/contract.ts',
        'query/c.ts imports storage/postgres/store.ts',
        'utils/x.ts lies in no room that is known',
      ],
    ],
    [
      'alternatives do not know each other',
      {
        'query/rest/a.ts': `import '../service.ts';\nimport '../ws/b.ts';`,
        'query/ws/b.ts': '',
        'query/service.ts': '',
      },
      ['query/rest/a.ts imports query/ws/b.ts'],
    ],
    [
      'imports make no circle',
      {
        'base/a.ts': `import './b.ts';`,
        'base/b.ts': `import type { C } from './c.ts';`,
        'base/c.ts': `import './a.ts';`,
        'base/d.ts': `import './a.ts';`,
      },
      ['base/a.ts → base/b.ts → base/c.ts → base/a.ts'],
    ],
    [
      'every file is used',
      {
        'cli.ts': `import './base/a.ts';\nnew Worker(new URL('./base/worker.ts', import.meta.url));`,
        'base/a.ts': '',
        'base/worker.ts': '',
        'base/only-tested.ts': '',
        'base/only-tested.test.ts': `import './only-tested.ts';\nimport '../test/support/used.ts';`,
        'test/support/used.ts': '',
        'test/support/unused.ts': '',
      },
      ['base/only-tested.ts', 'test/support/unused.ts'],
    ],
    ['only what talks to people prints', { 'base/a.ts': '\nconsole.log(1);' }, ['base/a.ts:2']],
    [
      'only config.ts and instrumentation read the environment',
      { 'base/a.ts': 'process.env.X', 'config.ts': 'process.env' },
      ['base/a.ts:1'],
    ],
    [
      'only cli.ts reads the arguments',
      { 'commands/a.ts': 'process.argv', 'cli.ts': 'process.argv' },
      ['commands/a.ts:1'],
    ],
    ['nothing is left to do', { 'base/a.ts': `// ${'TO'}DO later` }, ['base/a.ts:1']],
    [
      'SQL lies in storage, and the schema in files',
      { 'query/a.ts': 'query(`\n  INSERT INTO x`)', 'storage/b.ts': "query('SELECT 1')\nquery('CREATE TABLE t (x)')" },
      ['query/a.ts:1', 'storage/b.ts:2'],
    ],
    [
      'a file can be read in one sitting',
      { 'base/a.ts': '\n'.repeat(LINES_MAX) },
      [`base/a.ts has ${LINES_MAX + 1} lines`],
    ],
  ];

  it('and each is shown to', () => {
    expect(breaks.map(([name]) => name).sort()).toEqual(Object.keys(rules).sort());
  });

  it.each(breaks)('%s', (name, sources, says) => {
    expect(rules[name]!(new Map(Object.entries(sources)))).toEqual(says);
  });
});

function readSources(): Sources {
  const root = join(import.meta.dirname, '..');
  const files = globSync('**/*.{ts,js}', {
    cwd: root,
    exclude: (path) => /(^|\/)(node_modules|dist|dist\.\d+|gen|coverage)$/.test(path) || path === 'test/sdks',
  });
  return new Map(files.sort().map((file) => [file, readFileSync(join(root, file), 'utf8')]));
}

interface Import {
  from: string;
  to: string;
}

/**
 * Imports of our own files, type imports too: a store that imports a screen's type is joined to it all the same. The
 * formatter begins every statement in the first column, so a pattern finds them as well as a parser would.
 */
function importsOf(sources: Sources): Import[] {
  return [...sources].flatMap(([from, text]) =>
    [...text.matchAll(IMPORT)].map((match) => {
      const specifier = match.slice(1).find((group) => group !== undefined)!;
      return { from, to: join(dirname(from), specifier) };
    }),
  );
}

const IMPORT = new RegExp(
  [
    String.raw`^(?:import|export)\s[^'";]*?from\s+'(\.[^']+)'`,
    String.raw`^import\s+'(\.[^']+)'`,
    String.raw`\bimport\(\s*'(\.[^']+)'`,
    String.raw`new URL\('(\.[^']+\.[jt]s)', import\.meta\.url\)`,
  ].join('|'),
  'gm',
);

function productImports(sources: Sources): Import[] {
  return importsOf(sources).filter(({ from }) => !isTest(from) && !matchesAny(from, ['bin/*', '*.config.ts']));
}

/** The first folder, or the file itself at the root. */
function roomOf(file: string): string {
  return file.split('/')[0]!;
}

function isTest(file: string): boolean {
  return /(^|\/)test\//.test(file) || /\.(test|bench)\.ts$/.test(file);
}

function matchesAny(file: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesGlob(file, pattern));
}

/** Where product code matches, `file:line`. */
function linesWith(sources: Sources, pattern: RegExp, except: readonly string[]): string[] {
  return [...sources].flatMap(([file, text]) => {
    if (isTest(file) || matchesAny(file, except)) return [];
    return [...text.matchAll(new RegExp(pattern, 'g'))].map(
      ({ index }) => `${file}:${text.slice(0, index).split('\n').length}`,
    );
  });
}
