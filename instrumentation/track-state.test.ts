import { logs } from '@opentelemetry/api';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { withOperation } from './correlation.ts';
import { trackState } from './track-state.ts';

const exporter = new InMemoryLogRecordExporter();
const seats = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`seat-${i}`, 'free']));

beforeAll(() => {
  logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }));
});
beforeEach(() => exporter.reset());
afterAll(() => logs.disable());

it('records a state when it has changed, under the operation that ended, small changes as what changed', async () => {
  let state: object = seats;
  const stop = trackState('seats', () => state, { everyMs: 0 });
  withOperation('look', () => {});
  state = { ...seats, 'seat-3': 'taken' };
  await withOperation('book', async () => {});
  state = { sold: 'out' };
  withOperation('close', () => {});
  stop();
  state = seats;
  withOperation('reopen', () => {});
  expect(snapshots()).toEqual([
    { type: 'full', operation: undefined, state: seats },
    { type: 'incremental', operation: 'book', state: { 'seat-3': 'taken' } },
    { type: 'full', operation: 'close', state: { sold: 'out' } },
  ]);
});

it('looks on an interval', async () => {
  let looks = 0;
  const stop = trackState('ticks', () => ({ looks: looks++ }), { everyMs: 5, atOperationEnd: false });
  while (snapshots().length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  stop();
});

it('takes a state that cannot be had for none', () => {
  const stop = trackState('broken', () => {
    throw new Error('not now');
  });
  stop();
  expect(snapshots()).toEqual([]);
});

function snapshots() {
  return exporter.getFinishedLogRecords().map(({ attributes, body }) => ({
    type: attributes['debug.snapshot.type'],
    operation: attributes['debug.operation_id'],
    state: body,
  }));
}
