import { SeverityNumber } from '@opentelemetry/api';

/** Of the tens that pino and bunyan count in: 10 is TRACE, 30 INFO, 60 FATAL; 35 is INFO3, halfway to WARN. */
export function severityOf(level: number): SeverityNumber {
  const number = 4 * Math.floor(level / 10 - 1) + 1 + Math.floor((level % 10) / 2.5);
  return Math.min(Math.max(number, SeverityNumber.TRACE), SeverityNumber.FATAL4);
}
