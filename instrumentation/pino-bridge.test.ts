import { type LogRecord, logs, SeverityNumber } from '@opentelemetry/api';
import fc from 'fast-check';
import { type LoggerOptions, pino } from 'pino';
import { beforeEach, expect, it } from 'vitest';
import { PinoBridge } from './pino-bridge.ts';

const records: LogRecord[] = [];
logs.setGlobalLoggerProvider({
  getLogger: () => ({ emit: (record) => void records.push(record), enabled: () => true }),
});
// `pino` is an ES module's namespace here, which is what the instrumentation is handed by an import too.
for (const { patch } of new PinoBridge().getModuleDefinitions()) patch!(pino);

beforeEach(() => records.splice(0));

const printed: string[] = [];
const stream = { write: (line: string) => void printed.push(line) };

it('says the same of a line whether it reads what pino was given or what pino has printed', () => {
  // A formatter that changes nothing: only pino and its line know that.
  const parsed = { formatters: { log: (fields: object) => fields } };
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.boolean(),
    fc.constantFrom(null, undefined, [1, 'x'], { deep: 1 }, new Date(0), new Error('boom'), Symbol('s')),
  );
  const key = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('msg', 'err', 'time', 'level', 'pid', 'secret', 'o'),
  );
  const fields = fc.dictionary(key, value, { maxKeys: 5, noNullPrototype: true });
  const options = fc.constantFrom<LoggerOptions[]>(
    {},
    { base: null },
    { base: { pid: 1, hostname: 'h', zone: 'a' } },
    { messageKey: 'message', errorKey: 'o' },
    { redact: ['secret'] },
    { nestedKey: 'payload' },
    { timestamp: pino.stdTimeFunctions.isoTime },
    { timestamp: () => ',"time":1700000000000' },
    { timestamp: false },
    { serializers: { secret: () => 'other' } },
    { mixin: () => ({ mixed: true }) },
    { msgPrefix: 'p ' },
    { customLevels: { loud: 35 } } as LoggerOptions,
  );
  const message = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });
  fc.assert(
    fc.property(
      options,
      fc.dictionary(key, value, { maxKeys: 2, noNullPrototype: true }),
      fields,
      message,
      (...said) => {
        const [options, bindings, fields, message] = said;
        records.splice(0);
        for (const how of [{}, parsed]) {
          const logger = pino({ ...options, ...how }, stream).child(bindings as object);
          logger.error(fields, message);
        }
        const [read, reread] = records.map(({ timestamp, ...rest }) => ({ ...rest, isTimed: timestamp !== undefined }));
        expect(read).toEqual(reread);
      },
    ),
    { numRuns: 200 },
  );
});

it('says level, message, fields, time and exception', () => {
  const logger = pino({}, stream).child({ module: 'billing' });
  logger.warn({ order: 7 }, 'accepted');
  logger.error(new TypeError('broken'));
  expect(records[0]).toMatchObject({
    severityNumber: SeverityNumber.WARN,
    severityText: 'warn',
    body: 'accepted',
    attributes: { module: 'billing', order: 7 },
  });
  expect(Math.abs(Number(records[0]!.timestamp) - Date.now())).toBeLessThan(60_000);
  expect(Object.keys(records[0]!.attributes!)).toEqual(['module', 'order']);
  expect(records[1]!.exception).toMatchObject({ name: 'TypeError', message: 'broken' });
});

it("keeps an app's record when a getter of its fields answers pino and throws then", () => {
  let reads = 0;
  const fields = Object.defineProperty({ order: 7 }, 'once', {
    enumerable: true,
    get: () => {
      if (reads++ > 0) throw new Error('read twice');
      return 'answered';
    },
  });
  pino({}, stream).info(fields, 'lazy');
  expect(records).toMatchObject([{ body: 'lazy', attributes: { order: 7, once: 'answered' } }]);
});
