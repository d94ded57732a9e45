import { type LEVELS, severityOf } from '../model/event.ts';
import { textOf } from './wire.ts';

/** Loggers that send only the text of a severity still have a level. @returns its severity number, 0 for a text that is none */
export function severityOfText(bytes: Uint8Array, start: number, end: number): number {
  const level = LEVEL_OF_TEXT[textOf(bytes, start, end).trim().toUpperCase()];
  return level === undefined ? 0 : severityOf(level);
}

/**
 * The level that a logger wrote into its line of JSON, for records whose shipper read nothing of it: `"level":50` of pino and bunyan,
 * `"level":"error"` of most others. @returns its severity number, 0 where the body is no object or tells none
 */
export function severityOfBody(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== OPENING_BRACE) return 0;
  const found = LEVEL_IN_BODY.exec(textOf(bytes, start, Math.min(end, start + LOOKED_AT_MAX)));
  if (found === null) return 0;
  const [, word, number] = found;
  const level =
    word !== undefined ? LEVEL_OF_TEXT[word.toUpperCase()] : LEVEL_OF_NUMBER[Math.floor(Number(number) / 10)];
  return level === undefined ? 0 : severityOf(level);
}

const OPENING_BRACE = 0x7b;
// Loggers write the level first, or among the first fields.
const LOOKED_AT_MAX = 512;
const LEVEL_IN_BODY =
  /[{,]\s*"(?:level|severity|log\.level|levelname|lvl|@l|severityText)"\s*:\s*(?:"([A-Za-z]{3,11})"|([1-6]0)(?=[,\s}]))/;
const LEVEL_OF_NUMBER: Record<number, (typeof LEVELS)[number]> = {
  1: 'TRACE',
  2: 'DEBUG',
  3: 'INFO',
  4: 'WARNING',
  5: 'ERROR',
  6: 'CRITICAL',
};

const LEVEL_OF_TEXT: Record<string, (typeof LEVELS)[number]> = {
  TRACE: 'TRACE',
  VERBOSE: 'TRACE',
  DEBUG: 'DEBUG',
  INFO: 'INFO',
  INFORMATION: 'INFO',
  NOTICE: 'INFO',
  WARN: 'WARNING',
  WARNING: 'WARNING',
  ERROR: 'ERROR',
  ERR: 'ERROR',
  SEVERE: 'ERROR',
  FATAL: 'CRITICAL',
  PANIC: 'CRITICAL',
  EMERG: 'CRITICAL',
  CRIT: 'CRITICAL',
  CRITICAL: 'CRITICAL',
  ALERT: 'CRITICAL',
  EMERGENCY: 'CRITICAL',
};
