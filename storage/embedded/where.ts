/** Conditions of a SELECT that all hold, and their values in the same order. */
import type { SQLInputValue } from 'node:sqlite';
import { rowText, rowTime } from '../text.ts';

export class Where {
  readonly values: SQLInputValue[] = [];
  #sql = '';

  /** Undefined asks for nothing. */
  equal(column: string, value: string | bigint | number | undefined): this {
    if (value === undefined) return this;
    return this.and(`${column} = ?`, typeof value === 'string' ? rowText(value) : value);
  }

  /** Of nanoseconds, both ends inside. */
  within(column: string, { start, end }: { start?: bigint; end?: bigint }): this {
    if (start !== undefined) this.and(`${column} >= ?`, rowTime(start));
    if (end !== undefined) this.and(`${column} <= ?`, rowTime(end));
    return this;
  }

  and(condition: string, ...values: SQLInputValue[]): this {
    this.#sql += this.#sql === '' ? `WHERE ${condition}` : ` AND ${condition}`;
    this.values.push(...values);
    return this;
  }

  toString(): string {
    return this.#sql;
  }
}
