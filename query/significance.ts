/** Whether a difference is more than chance, for many things looked at at once. */

/**
 * Two shares compared by the G-test, a likelihood ratio (Wilks, 1938; Dunning, Computational Linguistics 19, 1993): right also for things so
 * rare that a normal approximation is not.
 * @returns the chance of shares as far apart in two samples of the same
 */
export function shareChance(hits: number, of: number, otherHits: number, otherOf: number): number {
  const total = of + otherOf;
  const allHits = hits + otherHits;
  if (of === 0 || otherOf === 0 || allHits === 0 || allHits === total) return 1;
  const term = (seen: number, expected: number) => (seen === 0 ? 0 : seen * Math.log(seen / expected));
  const g =
    2 *
    (term(hits, (of * allHits) / total) +
      term(of - hits, (of * (total - allHits)) / total) +
      term(otherHits, (otherOf * allHits) / total) +
      term(otherOf - otherHits, (otherOf * (total - allHits)) / total));
  return tailBeyond(Math.sqrt(Math.max(g, 0)));
}

/**
 * What a share is at least, by its sample (Wilson, JASA 22, 1927, the lower end at 95%): to rank by, so that one error of one event does
 * not come before ninety of a hundred.
 * @param of at least 1  @returns 0 to 1
 */
export function shareAtLeast(hits: number, of: number): number {
  const share = hits / of;
  const squared = 1.96 ** 2;
  const spread = 1.96 * Math.sqrt((share * (1 - share)) / of + squared / (4 * of * of));
  return Math.max((share + squared / (2 * of) - spread) / (1 + squared / of), 0);
}

/**
 * Two samples compared by rank (Mann and Whitney, 1947), with the correction for ties.
 * @param a ascending  @param b ascending
 */
export function rankChance(a: readonly number[], b: readonly number[]): number {
  const n = a.length + b.length;
  if (a.length === 0 || b.length === 0) return 1;
  let rankSum = 0;
  let ties = 0;
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const value = Math.min(a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY);
    const [fromA, from] = [i, i + j];
    while (i < a.length && a[i]! <= value) i++;
    while (j < b.length && b[j]! <= value) j++;
    const tied = i + j - from;
    if (tied === 0) break;
    rankSum += (i - fromA) * (from + (tied + 1) / 2);
    ties += tied ** 3 - tied;
  }
  const u = rankSum - (a.length * (a.length + 1)) / 2;
  const variance = ((a.length * b.length) / 12) * (n + 1 - ties / (n * (n - 1)));
  if (!(variance > 0)) return 1;
  return tailBeyond(Math.max(Math.abs(u - (a.length * b.length) / 2) - 0.5, 0) / Math.sqrt(variance));
}

/**
 * Which of many findings to believe when each was tested: those by which at most the given share of the believed are false (Benjamini
 * and Hochberg, JRSS B 57, 1995). Whoever looks at a thousand attributes finds ten that differ by a chance of one in a hundred.
 */
export function believed<T extends { chance: number }>(tested: readonly T[], falseShare: number): T[] {
  const sorted = tested.toSorted((a, b) => a.chance - b.chance);
  const last = sorted.findLastIndex(({ chance }, i) => chance <= ((i + 1) / sorted.length) * falseShare);
  return sorted.slice(0, last + 1);
}

/** Both tails of the standard normal distribution: Abramowitz and Stegun 26.2.17, right within 1e-7. */
function tailBeyond(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const tail =
    density * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return Math.min(2 * tail, 1);
}
