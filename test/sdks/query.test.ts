/** A client in another language, its stubs made by protoc from what stands in proto/, as anybody would make them. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tellIncident } from '../support/incident.ts';
import { buildPythonQuery, pythonMissing } from './sdk.ts';
import { type Server, startServer } from './server.ts';

const missing = await pythonMissing();

describe.skipIf(missing !== null && process.env.DEBUG_TEST_SDKS !== 'all')(
  'a Python client of debug.v1.DebugQuery',
  () => {
    let server: Server;
    let python: string;
    let stubs: string;
    beforeAll(async () => {
      ({ python, stubs } = await buildPythonQuery());
      server = await startServer(['--api-tokens=admin:python-asks']);
    });
    afterAll(() => server?.stop());

    it('asks every kind of question', async () => {
      const ids = await tellIncident(server.queryUrl, 'python-asks');
      const address = server.queryGrpcUrl.replace('http://', '');
      const args = [join(import.meta.dirname, 'python-query/ask.py'), stubs, address, 'python-asks', ids.at(-1)!];
      const { stdout } = await promisify(execFile)(python, args, { timeout: 60_000 });
      expect(JSON.parse(stdout)).toEqual({
        errors: 48,
        message: 'order 30 failed',
        status_code: 500,
        seconds: expect.any(Number),
        health: ['unhealthy', 30, 16],
        insights: expect.any(Number),
        answer: expect.stringContaining('inventory'),
        used_tokens: expect.any(Number),
        tail: 'connected',
        unknown: ['NOT_FOUND', 'EVENT_NOT_FOUND'],
        stranger: 'UNAUTHENTICATED',
      });
    });
  },
);
