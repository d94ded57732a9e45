/** Patterns that people configure, matched as RE2 does: in time linear in the text, whatever the pattern is (F34). */
import { RE2JS } from 're2js';

/** @throws Error that says what is wrong with the pattern, in RE2's syntax */
export function compileLinear(pattern: string): { matches(text: string): Iterable<readonly [number, number]> } {
  // The automaton grows with the pattern, and each byte of text walks over it.
  if (pattern.length > PATTERN_LENGTH_MAX) throw new Error(`is longer than ${PATTERN_LENGTH_MAX} characters`);
  const compiled = RE2JS.compile(pattern);
  if (compiled.matcher('').find()) throw new Error('must not match the empty text');
  return {
    *matches(text) {
      const matcher = compiled.matcher(text);
      while (matcher.find()) if (matcher.end() > matcher.start()) yield [matcher.start(), matcher.end()];
    },
  };
}

const PATTERN_LENGTH_MAX = 1000;
