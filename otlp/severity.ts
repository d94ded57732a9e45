import { type LEVELS, severityOf } from '../model/event.ts';
import { textOf } from './wire.ts';

/** Loggers that send only the text of a severity still have a level. @returns its severity number, 0 for a text that is none */
export function severityOfText(bytes: Uint8Array, start: number, end: number): number {
  const level = LEVEL_OF_TEXT[textOf(bytes, start, end).trim().toUpperCase()];
  return level === undefined ? 0 : severityOf(level);
}

const LEVEL_OF_TEXT: Record<string, (typeof LEVELS)[number]> = {
  TRACE: 'TRACE',
  DEBUG: 'DEBUG',
  INFO: 'INFO',
  INFORMATION: 'INFO',
  NOTICE: 'INFO',
  WARN: 'WARNING',
  WARNING: 'WARNING',
  ERROR: 'ERROR',
  ERR: 'ERROR',
  FATAL: 'CRITICAL',
  CRITICAL: 'CRITICAL',
  ALERT: 'CRITICAL',
  EMERGENCY: 'CRITICAL',
};
