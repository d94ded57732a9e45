/** What the subscribers of the live benches watch, and the events that it is found in. */

export const COMPONENTS = 250;
/** Every so many events. */
export const ERROR_EVERY = 500;
export const NEEDLES = 1000;

/** Six of ten watch a component, two the errors of all with something of their own, two look for words; the first takes all and reads nothing. */
export function wishOf(i: number): { channel: string; filter: object } {
  if (i === 0) return { channel: 'debug:all', filter: {} };
  if (i % 10 < 6) {
    const level = [{}, { min_level: 'INFO' }, { level: ['INFO', 'ERROR'] }][i % 3]!;
    return { channel: `debug:shop-${(i * 7) % COMPONENTS}`, filter: level };
  }
  if (i % 10 < 8)
    return { channel: 'debug:all', filter: { min_level: 'ERROR', component_type: ['service', `other-${i}`] } };
  return { channel: 'debug:all', filter: { q: `needle-${i % NEEDLES} ` } };
}
