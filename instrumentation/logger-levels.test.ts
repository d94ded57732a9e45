import { SeverityNumber } from '@opentelemetry/api';
import { expect, it } from 'vitest';
import { severityOf } from './logger-levels.ts';

it('finds the standard levels exactly, and any other between them', () => {
  expect([10, 20, 30, 40, 50, 60].map(severityOf)).toEqual([
    SeverityNumber.TRACE,
    SeverityNumber.DEBUG,
    SeverityNumber.INFO,
    SeverityNumber.WARN,
    SeverityNumber.ERROR,
    SeverityNumber.FATAL,
  ]);
  expect([35, 39, 0, -5, 1000, 62.5].map(severityOf)).toEqual([11, 12, 1, 1, 24, 22]);
});
