/** The product's version, from package.json. */
import { readFileSync } from 'node:fs';

export const VERSION = readVersion();

function readVersion(): string {
  // Sources lie one folder below package.json, what is built from them two.
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (name === 'ai-debug') return version;
    } catch {
      // not there
    }
  }
  return 'unknown';
}
