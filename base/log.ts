/** Starts, stops and firsts go to the log, one JSON line each on stderr; what happens per event is counted (meter.ts), never logged. */
import { destination, type Logger, pino } from 'pino';

export type { Logger };

/** @param level pino's: `fatal` to `trace`, or `silent` */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ fd: 2, sync: true }));
}
