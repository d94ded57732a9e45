import type { HrTime } from '@opentelemetry/api';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { expect, it } from 'vitest';
import { DistinctLogTimes } from './log-times.ts';

it('keeps equal lines of one millisecond apart and in order', () => {
  const { emit, times } = setup();
  for (let i = 0; i < 3; i++) emit(1_700_000_000_123, 1_700_000_000_123);
  emit(1_700_000_000_124, 1_700_000_000_124);
  expect(times()).toEqual([
    { time: [1_700_000_000, 123_000_000], observed: [1_700_000_000, 123_000_000] },
    { time: [1_700_000_000, 123_000_001], observed: [1_700_000_000, 123_000_001] },
    { time: [1_700_000_000, 123_000_002], observed: [1_700_000_000, 123_000_002] },
    { time: [1_700_000_000, 124_000_000], observed: [1_700_000_000, 124_000_000] },
  ]);
});

it('leaves a time alone that knows better than milliseconds, and the clock when it is set back', () => {
  const { emit, times } = setup();
  const precise: HrTime = [1_600_000_000, 123_456_789];
  emit(1_700_000_000_500, precise);
  emit(1_700_000_000_500, precise);
  emit(1_700_000_000_100, precise);
  expect(times()).toEqual([
    { time: precise, observed: [1_700_000_000, 500_000_000] },
    { time: precise, observed: [1_700_000_000, 500_000_001] },
    { time: precise, observed: [1_700_000_000, 100_000_000] },
  ]);
});

function setup() {
  let now = 0;
  const exporter = new InMemoryLogRecordExporter();
  const provider = new LoggerProvider({
    processors: [new DistinctLogTimes(() => now), new SimpleLogRecordProcessor({ exporter })],
  });
  const logger = provider.getLogger('test');
  return {
    emit(nowMs: number, timestamp: number | HrTime) {
      now = nowMs;
      logger.emit({ timestamp, body: 'the same line' });
    },
    times: () =>
      exporter
        .getFinishedLogRecords()
        .map(({ hrTime, hrTimeObserved }) => ({ time: hrTime, observed: hrTimeObserved })),
  };
}
