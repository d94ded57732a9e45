import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ConfigSources, loadConfig, SETTINGS, settingsHelp, settingsTable } from './config.ts';

const load = (sources: ConfigSources = {}) => loadConfig({ environment: {}, ...sources });
const complaint = (sources: ConfigSources): string => {
  try {
    load(sources);
    return '';
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID' });
    return (error as Error).message;
  }
};

function file(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'config-')), 'config.json');
  writeFileSync(path, text);
  return path;
}

test('flags win over the environment, that over the file, that over defaults', () => {
  const path = file('{"http-port": 1, "data-dir": "file", "host": "127.0.0.3"}');
  const config = load({
    flags: new Map([['http-port', '3']]),
    environment: { DEBUG_HTTP_PORT: '2', DEBUG_DATA_DIR: 'environment' },
    file: path,
  });
  expect(config).toMatchObject({ httpPort: 3, dataDir: 'environment', host: '127.0.0.3', otlpHttpPort: 4318 });
});

test('values are read by their kind', () => {
  const config = load({
    environment: {
      DEBUG_SYSTEM_ENABLED: 'false',
      DEBUG_CORRELATION_KEYS: ' a, b ,',
      DEBUG_INSIGHT_CONFIDENCE_THRESHOLD: '0.5',
      DEBUG_PG_URL: '',
    },
    flags: new Map<string, string | boolean>([['insecure', true]]),
  });
  expect(config).toMatchObject({
    systemEnabled: false,
    correlationKeys: ['a', 'b'],
    insightConfidenceThreshold: 0.5,
    pgUrl: '',
    insecure: true,
  });
});

describe('what is wrong is named', () => {
  test.each<[ConfigSources, string]>([
    [{ flags: new Map([['http-prot', '1']]) }, '--http-prot: unknown setting; did you mean --http-port?'],
    [{ environment: { DEBUG_REDIS_ULR: 'x' } }, 'DEBUG_REDIS_ULR: unknown setting; did you mean DEBUG_REDIS_URL?'],
    [{ environment: { DEBUG_HTTP_PORT: '70000' } }, 'DEBUG_HTTP_PORT: must be a number from 0 to 65535, not "70000"'],
    [{ environment: { DEBUG_HTTP_PORT: '1.5' } }, 'DEBUG_HTTP_PORT: must be a whole number'],
    [{ environment: { DEBUG_SYSTEM_ENABLED: 'yes' } }, 'DEBUG_SYSTEM_ENABLED: must be true or false'],
    [{ flags: new Map([['role', 'reciever']]) }, '--role: must be one of all, receiver, query'],
    [{ environment: { DEBUG_HTTP_PORT: '4317' } }, "DEBUG_HTTP_PORT: port 4317 is DEBUG_OTLP_GRPC_PORT's already"],
    [
      { environment: { DEBUG_JOURNAL_BYTES_MAX: '2000000' } },
      'DEBUG_JOURNAL_BYTES_MAX: must be over DEBUG_REQUEST_BYTES_MAX',
    ],
    [{ environment: { DEBUG_HOST: '0.0.0.0' } }, 'DEBUG_HOST: 0.0.0.0 is reachable from other machines'],
    [{ flags: new Map([['role', 'query']]) }, 'DEBUG_PG_URL: --role query needs a PostgreSQL'],
  ])('%j', (sources, message) => expect(complaint(sources)).toContain(message));

  test('all at once', () =>
    expect(complaint({ environment: { DEBUG_A: '1', DEBUG_HTTP_PORT: 'x' } }).split('\n')).toHaveLength(2));
  test('a file that is none', () => expect(complaint({ file: '/none' })).toContain('--config /none: '));
  test('an unknown key in the file', () =>
    expect(complaint({ file: file('{"port": 1}') })).toMatch(/^port in .*: unknown setting/));
  test('a secret is not repeated', () => {
    const said = complaint({ file: file('{"pg-url": 31337}') });
    expect(said).toMatch(/^pg-url in .*: must be text, not what is set$/);
  });
});

test('variables of our tests and of the npm package debug are not settings', () => {
  expect(() => load({ environment: { DEBUG_TEST_PG_URL: 'x', DEBUG_COLORS: '1' } })).not.toThrow();
});

test('help and table name every setting, its default and what it means', () => {
  for (const text of [settingsHelp(), settingsTable()]) {
    for (const { doc } of Object.values(SETTINGS)) expect(text).toContain(doc);
    for (const name of ['DEBUG_OTLP_GRPC_PORT', '--otlp-grpc-port', '4317']) expect(text).toContain(name);
  }
});
