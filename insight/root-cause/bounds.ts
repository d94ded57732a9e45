/** How large a share must be at least, given how often it was seen. */

/**
 * The lower bound of a share, one-sided (Clopper and Pearson, Biometrika 1934): the share for which `hits` or more would come up with
 * probability 1 - `confidence`.
 * @param confidence 0.5 to 1, exclusive
 */
export function shareAtLeast(hits: number, total: number, confidence: number): number {
  if (hits <= 0) return 0;
  if (hits >= total) return (1 - confidence) ** (1 / total);
  let low = 0;
  let high = hits / total;
  // 2^-20 is finer than any count that fits into a window.
  for (let i = 0; i < 20; i++) {
    const share = (low + high) / 2;
    if (atLeast(hits, total, share) > 1 - confidence) high = share;
    else low = share;
  }
  return low;
}

/** The upper bound of a share, one-sided. */
export function shareAtMost(hits: number, total: number, confidence: number): number {
  return total === 0 ? 1 : 1 - shareAtLeast(total - hits, total, confidence);
}

/** That of `total` more than `hits` come up, when the share is `share`. */
export function countAbove(hits: number, total: number, share: number): number {
  if (share >= 1) return total > hits ? 1 : 0;
  return share <= 0 ? 0 : atLeast(hits + 1, total, share);
}

/** That a binomial count is `hits` or more. */
function atLeast(hits: number, total: number, share: number): number {
  let logTerm = total * Math.log1p(-share);
  const odds = Math.log(share) - Math.log1p(-share);
  let below = 0;
  for (let k = 0; k < hits; k++) {
    below += Math.exp(logTerm);
    logTerm += Math.log((total - k) / (k + 1)) + odds;
  }
  return 1 - below;
}
