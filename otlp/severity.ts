import { type Level, severityOf } from '../model/event.ts';
import { textOf } from './wire.ts';

/**
 * The severity of a record that came without a number: its severity text, else the level that its logger wrote into the body, a line of
 * JSON of which the shipper read nothing: `"level":50` of pino and bunyan, `"level":"error"` of most others.
 * @returns its number, 0 where neither tells one
 */
export function severityInWords(
  bytes: Uint8Array,
  textStart: number,
  textEnd: number,
  bodyStart: number,
  bodyEnd: number,
): number {
  if (textEnd > textStart) return numberOf(levelOfText(textOf(bytes, textStart, textEnd)));
  if (bodyEnd <= bodyStart || bytes[bodyStart] !== OPENING_BRACE) return 0;
  const found = LEVEL_IN_BODY.exec(textOf(bytes, bodyStart, Math.min(bodyEnd, bodyStart + LOOKED_AT_MAX)));
  if (found === null) return 0;
  const [, word, number] = found;
  return numberOf(word !== undefined ? levelOfText(word) : LEVEL_OF_NUMBER[Number(number)]);
}

function numberOf(level: Level | undefined): number {
  return level === undefined ? 0 : severityOf(level);
}

const OPENING_BRACE = 0x7b;
// Loggers write the level first, or among the first fields.
const LOOKED_AT_MAX = 512;
const LEVEL_IN_BODY =
  /[{,]\s*"(?:level|severity|log\.level|levelname|lvl|@l|severityText)"\s*:\s*(?:"([A-Za-z]{3,11})"|([1-6]0)(?=[,\s}]))/;
const LEVEL_OF_NUMBER: Record<number, Level> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARNING',
  50: 'ERROR',
  60: 'CRITICAL',
};

/** What loggers call a level, in any case. */
export function levelOfText(text: string): Level | undefined {
  return LEVEL_OF_TEXT.get(text.trim().toUpperCase());
}

const LEVEL_OF_TEXT: ReadonlyMap<string, Level> = new Map(
  Object.entries({
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
  } satisfies Record<string, Level>),
);
