/** F32, F33: what SQL under storage/ may look like. Statements are texts in templates; these tests read them as such. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const TABLES =
  'block|block_key|component_minute|counted_hour|component_hour|template_hour|edge_hour|edge_minute|template_minute|template|trace_correlation|snapshot|insight|session';
const TOUCHES = new RegExp(`\\b(?:FROM|UPDATE|JOIN)\\s+(?:${TABLES})\\b`);
const NAMES_TENANT = /\btenant(?:_id)?\b/;

/** Statements that mean every tenant, by a part of their text, with the reason. */
const ALL_TENANTS: [part: RegExp, reason: string][] = [
  [/\bday\b/i, 'days are dropped, and looked for, whole'],
  [/WHERE hour <|FROM component_hour AS known WHERE NOT EXISTS/, 'hours are forgotten with their day'],
  [/expires_at </, 'what has expired has for everybody'],
  [/(?:FROM|JOIN) insight\s+WHERE insight [>=]|WHERE insight = \?/, 'the same, by the number of the row'],
  [/WHERE block = \?|block_change AS change/, 'by the number of a row that a statement with the tenant gave'],
];

/** Parts of statements that stand in a constant or come from a builder, and what says there that the tenant is asked for. */
const PARTS: [part: RegExp, says: RegExp][] = [
  [/\$\{VISIBLE\}/, /const VISIBLE = `tenant_id = \$1/],
  [/\$\{where\}/, /inMinutes\(tenant|new Where\(\)\s*\.equal\('tenant', tenant\)/],
  [/time FROM trace_correlation'/, /\$\{SELECT\} WHERE tenant = \?/],
];

interface Statement {
  file: string;
  source: string;
  text: string;
}

/** Every quoted text of a source that touches a table of tenants. */
function statementsOf(file: string, source: string): Statement[] {
  const texts = source.matchAll(/`(?:[^`\\]|\\.)*`|'(?:[^'\\\n]|\\.)*'/g);
  return [...texts].map(([text]) => ({ file, source, text })).filter(({ text }) => TOUCHES.test(text));
}

function forgetful(statements: readonly Statement[]): string[] {
  return statements
    .filter(({ text }) => !NAMES_TENANT.test(text) && !ALL_TENANTS.some(([part]) => part.test(text)))
    .filter(({ source, text }) => !PARTS.some(([part, says]) => part.test(text) && says.test(source)))
    .map(({ file, text }) => `${file}: ${text}`);
}

const sources = globSync('storage/{postgres,embedded}/*.ts', { cwd: ROOT })
  .filter((file) => !file.endsWith('.test.ts'))
  .map((file): [string, string] => [file, readFileSync(join(ROOT, file), 'utf8')]);

describe('F32 a statement that reads or changes what tenants have', () => {
  const statements = sources.flatMap(([file, source]) => statementsOf(file, source));

  it('says whose it is', () => {
    expect(statements.length).toBeGreaterThan(20);
    expect(forgetful(statements)).toEqual([]);
  });

  it('is seen when it does not', () => {
    const bad = statementsOf('x.ts', "rows('SELECT * FROM insight WHERE insight_id = $1', [id])");
    expect(forgetful(bad)).toHaveLength(1);
  });
});

describe('F33 a statement', () => {
  // Of ours: columns, tables, placeholders, numbers. What a client says is a parameter, always.
  const CLIENTS_WORDS =
    /\$\{[^}]*\b(?:tenant|correlation|operation|message|query\.|body|text\(|request\.|component_id|name\b)[^}]*\}/;

  it('is never put together with what a client said', () => {
    const texts = sources.flatMap(([file, source]) => statementsOf(file, source));
    expect(texts.filter(({ text }) => CLIENTS_WORDS.test(text)).map(({ file, text }) => `${file}: ${text}`)).toEqual(
      [],
    );
  });
});
