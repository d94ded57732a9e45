/** What a schema says of input that does not fit, in the words of every face. */
import { z } from 'zod';
import type { FieldError } from '../base/errors.ts';
import { LEVELS } from '../model/event.ts';
import { levelOfText } from '../otlp/severity.ts';

// Of what is not there no type and no option is of interest.
z.config({ customError: ({ input }) => (input === undefined ? 'is required' : undefined) });

/** To ask by: one of ours, or what a logger calls it, in any case: `warn` is WARNING. What is posted says it as it is kept. */
export const level = z.preprocess(
  (given) => (typeof given === 'string' ? (levelOfText(given) ?? given) : given),
  z.enum(LEVELS),
);

/** Fields by their JSON path, `events[2].level`, each once; an unknown key is an error of that key. */
export function fieldErrors(error: z.ZodError, whole = 'body'): FieldError[] {
  const errors = new Map<string, FieldError>();
  for (const issue of error.issues) {
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys : null;
    for (const path of unknown?.map((key) => [...issue.path, key]) ?? [issue.path]) {
      const field = pathOf(path) || whole;
      const message = unknown === null ? issue.message : 'is not known here';
      if (!errors.has(field) && errors.size < ERRORS_MAX) errors.set(field, { field, message });
    }
  }
  return [...errors.values()];
}

// Nobody reads more, and a body may hold a million keys.
const ERRORS_MAX = 100;

function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}
