import { ROOT_CONTEXT, SeverityNumber, trace } from '@opentelemetry/api';
import { emptyResource } from '@opentelemetry/resources';
import type { LogRecordProcessor, ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { beforeEach, expect, it } from 'vitest';
import { LightLoggerProvider } from './log-records.ts';

const emitted: ReadableLogRecord[] = [];
const processor: LogRecordProcessor = {
  onEmit: (record) => void emitted.push(record),
  async forceFlush() {},
  async shutdown() {},
};
const provider = new LightLoggerProvider(emptyResource(), [processor]);
const logger = provider.getLogger('test', '1');

beforeEach(() => void emitted.splice(0));

it('keeps what is said, with the span that it is said in', () => {
  const own = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
  logger.emit({
    body: 'hello',
    severityNumber: SeverityNumber.WARN,
    severityText: 'warn',
    eventName: 'greeted',
    timestamp: new Date(1500),
    attributes: { user: { id: 5 }, none: undefined },
    context: trace.setSpanContext(ROOT_CONTEXT, own),
  });
  expect(emitted[0]).toMatchObject({
    body: 'hello',
    severityNumber: 13,
    severityText: 'warn',
    eventName: 'greeted',
    hrTime: [1, 500_000_000],
    spanContext: own,
    droppedAttributesCount: 0,
  });
  expect(emitted[0]!.attributes).toEqual({ user: { id: 5 } });
});

it('says of an exception its type, message and stack, and lets the app say it otherwise', () => {
  const error = Object.assign(new TypeError('no'), { stack: 'TypeError: no\n    at x' });
  logger.emit({ exception: error });
  logger.emit({
    exception: Object.assign(new Error('gone'), { code: 'ENOENT' }),
    attributes: { 'exception.message': 'mine' },
  });
  logger.emit({ exception: 'a text' });
  expect(emitted.map(({ attributes }) => [attributes['exception.type'], attributes['exception.message']])).toEqual([
    ['TypeError', 'no'],
    ['ENOENT', 'mine'],
    [undefined, 'a text'],
  ]);
  expect(emitted[0]!.attributes['exception.stacktrace']).toBe(error.stack);
});

it('bounds what it is told, counts the rest, and survives a circle', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const attributes = Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`k${i}`, i]));
  logger.emit({ attributes: { circle, ...attributes } as never, body: circle as never });
  const [{ attributes: kept, droppedAttributesCount, body }] = emitted as [ReadableLogRecord];
  expect(Object.keys(kept)).toHaveLength(128);
  expect(droppedAttributesCount).toBe(3);
  expect([kept.circle, body]).toEqual([{ self: '[circular]' }, { self: '[circular]' }]);
});

it('is of one scope per name and version', () => {
  expect(provider.getLogger('test', '1')).toBe(logger);
  expect(provider.getLogger('test', '2')).not.toBe(logger);
});
