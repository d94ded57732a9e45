/** The README's tables are made from the code. `UPDATE=1 npx vitest run test/readme` writes them anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { settingsTable } from '../config.ts';

const path = join(import.meta.dirname, '../README.md');
const SECTION = /(<!-- settings:[^>]*-->\n)[\s\S]*?(<!-- \/settings -->)/;

test('the table of settings is that of config.ts', () => {
  const readme = readFileSync(path, 'utf8');
  expect(readme).toMatch(SECTION);
  const current = readme.replace(SECTION, (_, open, close) => `${open}${settingsTable()}\n${close}`);
  if (process.env.UPDATE === '1') writeFileSync(path, current);
  else expect(readme).toBe(current);
});
