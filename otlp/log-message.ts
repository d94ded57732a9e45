/** Where the message of a log record lies: its body, what its exception says, its name, in that order, as otlp/read.ts answers it. */
import { NAMED } from '../model/records.ts';
import type { AttributeReader, Said } from './attributes.ts';

/** Told the fields of one record as they pass. */
export class LogMessage {
  /** As in a row of a record table: it ends before it begins where it is not known. */
  start = 0;
  end = 0;
  /** NAMED, or 0. */
  named = 0;
  #nameStart = 0;
  #nameEnd = 0;
  #hasBody = false;

  clear(): void {
    this.start = this.end = this.named = this.#nameStart = this.#nameEnd = 0;
    this.#hasBody = false;
  }

  body({ textStart, textEnd }: AttributeReader): void {
    // Of two bodies one message is made when they are decoded.
    this.start = this.#hasBody ? 1 : textStart;
    this.end = this.#hasBody ? 0 : textEnd;
    this.#hasBody = true;
  }

  name(start: number, end: number): void {
    this.#nameStart = start;
    this.#nameEnd = end;
  }

  /** After the last field. */
  finish({ exceptionMessageStart, exceptionMessageEnd }: Said): void {
    if (this.end === this.start && exceptionMessageEnd !== exceptionMessageStart) {
      this.start = exceptionMessageStart;
      this.end = exceptionMessageEnd;
    }
    if (this.end !== this.start) return;
    if (this.#nameEnd > this.#nameStart) {
      this.start = this.#nameStart;
      this.end = this.#nameEnd;
      this.named = NAMED;
    } else if (this.#hasBody) {
      this.start = 1; // made of the body's structure
      this.end = 0;
    }
  }
}
