/**
 * A trace as a tree: who called whom, where the time went, and which spans decided how long it took. Takes whatever arrived,
 * in any order: a missing parent, a cycle or a second root leaves a tree that says so, never an error.
 */

export interface TraceSpan {
  span_id: string;
  parent_span_id: string | null;
  /** Nanoseconds; an end before the start (a broken clock) counts as the start. */
  start: bigint;
  end: bigint;
}

export interface TraceNode<S extends TraceSpan> {
  span: S;
  parent: TraceNode<S> | null;
  /** By start, then span id. */
  children: TraceNode<S>[];
  /** 0 for roots. */
  depth: number;
  /** The part of the duration in which no child ran. */
  selfNanos: bigint;
  /** The part of the duration that lies on the critical path. */
  criticalNanos: bigint;
}

export interface CriticalSegment<S extends TraceSpan> {
  node: TraceNode<S>;
  start: bigint;
  end: bigint;
}

export type TraceProblem =
  | { kind: 'missing_parent'; span_id: string; parent_span_id: string }
  | { kind: 'cycle'; span_id: string }
  | { kind: 'duplicate_span'; span_id: string }
  | { kind: 'multiple_roots'; count: number };

export interface TraceTree<S extends TraceSpan> {
  /** By start, then span id. */
  roots: TraceNode<S>[];
  /** Every span once, depth first. */
  nodes: TraceNode<S>[];
  /** By time; between two roots there may be a hole. */
  criticalPath: CriticalSegment<S>[];
  /** Why the picture may be incomplete; empty for a whole trace. */
  problems: TraceProblem[];
}

/** @param spans of one trace, in any order; two with the same id are both kept, the earlier one is the parent of both's children */
export function traceTree<S extends TraceSpan>(spans: readonly S[]): TraceTree<S> {
  const problems: TraceProblem[] = [];
  const all = spans.map(
    (span): TraceNode<S> => ({ span, parent: null, children: [], depth: 0, selfNanos: 0n, criticalNanos: 0n }),
  );
  all.sort(byStart);
  linkParents(all, problems);
  cutCycles(all, problems);
  const roots: TraceNode<S>[] = [];
  // In order of start, so that each list of children is sorted as it is made.
  for (const node of all) (node.parent?.children ?? roots).push(node);
  if (roots.length > 1) problems.push({ kind: 'multiple_roots', count: roots.length });
  const nodes = depthFirst(roots);
  for (const node of nodes) node.selfNanos = selfTime(node);
  return { roots, nodes, criticalPath: criticalPath(roots), problems };
}

/**
 * Walks back from the end: what finished last held everything up; before it started, what finished last before that. The
 * rest of a span's time is its own. Children that overlap one already on the path ran beside it and are not on it; a
 * child that outlives its parent counts up to the parent's end.
 *
 * CRISP: Critical Path Analysis of Large-Scale Microservice Architectures (Zhang et al., USENIX ATC 2022), section 4; several
 * roots are taken as children of one span that covers them all.
 */
function criticalPath<S extends TraceSpan>(roots: readonly TraceNode<S>[]): CriticalSegment<S>[] {
  interface Frame {
    node: TraceNode<S> | null;
    start: bigint;
    /** Everything after this is attributed already. */
    until: bigint;
    children: readonly Interval<S>[];
    next: number;
  }
  const backwards: CriticalSegment<S>[] = [];
  const attribute = (node: TraceNode<S> | null, start: bigint, end: bigint) => {
    if (node === null || end <= start) return;
    node.criticalNanos += end - start;
    backwards.push({ node, start, end });
  };
  const all = clip(roots, 0n, UINT64_MAX);
  const frames: Frame[] = [{ node: null, start: 0n, until: UINT64_MAX, children: all, next: 0 }];
  // A stack of our own: a chain of calls may be deeper than the engine's.
  while (frames.length > 0) {
    const frame = frames.at(-1)!;
    const child = frame.children[frame.next++];
    if (child === undefined) {
      attribute(frame.node, frame.start, frame.until);
      frames.pop();
    } else if (child.end <= frame.until) {
      attribute(frame.node, child.end, frame.until);
      frame.until = child.start;
      const children = clip(child.node.children, child.start, child.end);
      frames.push({ node: child.node, start: child.start, until: child.end, children, next: 0 });
    }
  }
  return backwards.reverse();
}

interface Interval<S extends TraceSpan> {
  node: TraceNode<S>;
  start: bigint;
  end: bigint;
}

/** The parts of the nodes that lie in [start, end], those that finish last first. */
function clip<S extends TraceSpan>(nodes: readonly TraceNode<S>[], start: bigint, end: bigint): Interval<S>[] {
  const intervals: Interval<S>[] = [];
  for (const node of nodes) {
    const from = node.span.start > start ? node.span.start : start;
    const to = endOf(node.span) < end ? endOf(node.span) : end;
    if (from <= to) intervals.push({ node, start: from, end: to });
  }
  // Of two that finish together the longer one is the one that was waited for.
  return intervals.sort((a, b) => compare(b.end, a.end) || compare(a.start, b.start));
}

function selfTime<S extends TraceSpan>(node: TraceNode<S>): bigint {
  const end = endOf(node.span);
  let self = end - node.span.start;
  let covered = node.span.start;
  for (const { span } of node.children) {
    const from = span.start > covered ? span.start : covered;
    const to = endOf(span) < end ? endOf(span) : end;
    if (to <= from) continue;
    self -= to - from;
    covered = to;
  }
  return self;
}

function linkParents<S extends TraceSpan>(all: readonly TraceNode<S>[], problems: TraceProblem[]): void {
  const byId = new Map<string, TraceNode<S>>();
  for (const node of all) {
    const { span_id } = node.span;
    if (byId.has(span_id)) problems.push({ kind: 'duplicate_span', span_id });
    else byId.set(span_id, node);
  }
  for (const node of all) {
    const { span_id, parent_span_id } = node.span;
    if (parent_span_id === null) continue;
    node.parent = byId.get(parent_span_id) ?? null;
    if (node.parent === null) problems.push({ kind: 'missing_parent', span_id, parent_span_id });
  }
}

/** Makes the earliest span of each circle of parents a root. */
function cutCycles<S extends TraceSpan>(all: readonly TraceNode<S>[], problems: TraceProblem[]): void {
  const settled = new Set<TraceNode<S>>();
  // Earliest first, so that the one that a walk begins with, when it comes back to it, is the earliest of its circle.
  for (const first of all) {
    const walked = new Set<TraceNode<S>>();
    let node: TraceNode<S> | null = first;
    while (node !== null && !settled.has(node) && !walked.has(node)) {
      walked.add(node);
      node = node.parent;
    }
    if (node !== null && walked.has(node)) {
      let earliest = node;
      for (let at = node.parent!; at !== node; at = at.parent!) if (byStart(at, earliest) < 0) earliest = at;
      earliest.parent = null;
      problems.push({ kind: 'cycle', span_id: earliest.span.span_id });
    }
    for (const each of walked) settled.add(each);
  }
}

function depthFirst<S extends TraceSpan>(roots: readonly TraceNode<S>[]): TraceNode<S>[] {
  const nodes: TraceNode<S>[] = [];
  const stack = roots.toReversed();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    node.depth = node.parent === null ? 0 : node.parent.depth + 1;
    nodes.push(node);
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i]!);
  }
  return nodes;
}

const UINT64_MAX = 2n ** 64n - 1n;

function endOf(span: TraceSpan): bigint {
  return span.end > span.start ? span.end : span.start;
}

function byStart<S extends TraceSpan>(a: TraceNode<S>, b: TraceNode<S>): number {
  return compare(a.span.start, b.span.start) || compare(a.span.span_id, b.span.span_id);
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
