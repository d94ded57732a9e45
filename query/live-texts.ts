/** Which of many texts stand in a message: found in one pass over it, however many there are (Aho and Corasick, 1975). */

export interface TextFinder {
  /** Those of its texts that stand in this one, each once. */
  find(text: string): ReadonlySet<string>;
}

/** @param texts not empty; compared as they are */
export function createTextFinder(texts: Iterable<string>): TextFinder {
  // A node is a number; what leads on from it is one map, and where it falls back to and what ends there are lists beside it.
  const next: Map<number, number>[] = [new Map()];
  const ends: (string | null)[] = [null];
  for (const text of texts) {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      let child = next[node]!.get(unit);
      if (child === undefined) {
        child = next.push(new Map()) - 1;
        ends.push(null);
        next[node]!.set(unit, child);
      }
      node = child;
    }
    ends[node] = text;
  }

  const back = new Int32Array(next.length);
  /** The nearest shorter text that ends where a node does; 0: none. */
  const shorter = new Int32Array(next.length);
  const follow = (from: number, unit: number) => {
    for (let node = from; ; node = back[node]!) {
      const child = next[node]!.get(unit);
      if (child !== undefined) return child;
      if (node === 0) return 0;
    }
  };
  // By depth: what a node falls back to lies above it.
  for (const queue = [...next[0]!.values()]; queue.length > 0; ) {
    const level = queue.splice(0);
    for (const node of level)
      for (const [unit, child] of next[node]!) {
        const behind = follow(back[node]!, unit);
        back[child] = behind;
        shorter[child] = ends[behind] === null ? shorter[behind]! : behind;
        queue.push(child);
      }
  }

  return {
    find(text) {
      let found: Set<string> | undefined;
      let node = 0;
      for (let i = 0; i < text.length; i++) {
        node = follow(node, text.charCodeAt(i));
        for (let at = ends[node] === null ? shorter[node]! : node; at !== 0; at = shorter[at]!) {
          found ??= new Set();
          found.add(ends[at]!);
        }
      }
      return found ?? NONE;
    },
  };
}

const NONE: ReadonlySet<string> = new Set();
