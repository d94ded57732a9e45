import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type TraceSpan, type TraceTree, traceTree } from './trace.ts';

const span = (span_id: string, parent_span_id: string | null, start: number, end: number): TraceSpan => ({
  span_id,
  parent_span_id,
  start: BigInt(start),
  end: BigInt(end),
});

const shape = (tree: TraceTree<TraceSpan>) =>
  tree.nodes.map(({ span, depth }) => `${'.'.repeat(depth)}${span.span_id}`);
const self = (tree: TraceTree<TraceSpan>) =>
  Object.fromEntries(tree.nodes.map(({ span, selfNanos }) => [span.span_id, Number(selfNanos)]));
const path = (tree: TraceTree<TraceSpan>) =>
  tree.criticalPath.map(({ node, start, end }) => `${node.span.span_id} ${start}-${end}`);

describe('F16 the tree', () => {
  test('is depth first, children by start, whatever the order of arrival', () => {
    const tree = traceTree([
      span('c', 'a', 50, 60),
      span('d', 'b', 12, 15),
      span('b', 'a', 10, 40),
      span('a', null, 0, 100),
    ]);
    expect(shape(tree)).toEqual(['a', '.b', '..d', '.c']);
    expect(tree.problems).toEqual([]);
  });

  test('a span whose parent never came is a root and is named', () => {
    const tree = traceTree([span('a', null, 0, 10), span('b', 'gone', 2, 4)]);
    expect(shape(tree)).toEqual(['a', 'b']);
    expect(tree.problems).toEqual([
      { kind: 'missing_parent', span_id: 'b', parent_span_id: 'gone' },
      { kind: 'multiple_roots', count: 2 },
    ]);
  });

  test('a circle of parents is cut at its earliest span', () => {
    const tree = traceTree([
      span('tail', 'x', 1, 10),
      span('x', 'z', 5, 9),
      span('y', 'x', 2, 8),
      span('z', 'y', 3, 7),
    ]);
    expect(shape(tree)).toEqual(['y', '.z', '..x', '...tail']);
    expect(tree.problems).toEqual([{ kind: 'cycle', span_id: 'y' }]);
  });

  test('a span that is its own parent is a root', () => {
    expect(traceTree([span('a', 'a', 0, 1)]).problems).toEqual([{ kind: 'cycle', span_id: 'a' }]);
  });

  test('two spans with one id are both shown', () => {
    const tree = traceTree([span('a', null, 0, 9), span('b', 'a', 1, 2), span('b', 'a', 3, 4), span('c', 'b', 1, 2)]);
    expect(shape(tree)).toEqual(['a', '.b', '..c', '.b']);
    expect(tree.problems).toEqual([{ kind: 'duplicate_span', span_id: 'b' }]);
  });

  test('no spans, no tree', () => {
    expect(traceTree([])).toEqual({ roots: [], nodes: [], criticalPath: [], problems: [] });
  });
});

test('self time is what no child covers, overlaps counted once, children clipped to their parent', () => {
  const tree = traceTree([
    span('a', null, 0, 100),
    span('b', 'a', 10, 40),
    span('c', 'a', 30, 60),
    span('d', 'a', 90, 120),
    span('e', 'c', 0, 35),
    span('backwards', 'a', 50, 45),
  ]);
  expect(self(tree)).toEqual({ a: 40, b: 30, c: 25, d: 30, e: 35, backwards: 0 });
});

describe('critical path', () => {
  test('goes through the last to finish, then what finished before that one started', () => {
    const tree = traceTree([
      span('a', null, 0, 100),
      span('b', 'a', 10, 30),
      span('c', 'a', 20, 80), // beside b; b is not waited for
      span('d', 'c', 25, 60),
    ]);
    expect(path(tree)).toEqual(['a 0-20', 'c 20-25', 'd 25-60', 'c 60-80', 'a 80-100']);
    expect(tree.nodes.map((node) => Number(node.criticalNanos))).toEqual([40, 0, 25, 35]);
  });

  test('takes sequential children one after the other', () => {
    const tree = traceTree([span('a', null, 0, 10), span('b', 'a', 1, 4), span('c', 'a', 4, 9)]);
    expect(path(tree)).toEqual(['a 0-1', 'b 1-4', 'c 4-9', 'a 9-10']);
  });

  test('a child that outlives its parent counts up to the end of the parent', () => {
    const tree = traceTree([span('a', null, 0, 10), span('b', 'a', 5, 50)]);
    expect(path(tree)).toEqual(['a 0-5', 'b 5-10']);
  });

  test('a child outside its parent is not on it', () => {
    const tree = traceTree([span('a', null, 0, 10), span('b', 'a', 20, 50)]);
    expect(path(tree)).toEqual(['a 0-10']);
  });

  test('leaves the hole between two roots', () => {
    const tree = traceTree([span('a', null, 0, 10), span('b', 'gone', 20, 30)]);
    expect(path(tree)).toEqual(['a 0-10', 'b 20-30']);
  });

  test('is found in a chain deeper than the stack of the engine', () => {
    const depth = 50_000;
    const chain = Array.from({ length: depth }, (_, i) =>
      span(`s${i}`, i === 0 ? null : `s${i - 1}`, i, 2 * depth - i),
    );
    const tree = traceTree(chain);
    expect(tree.nodes.at(-1)!.depth).toBe(depth - 1);
    expect(tree.criticalPath.at(depth - 1)!.node.span.span_id).toBe(`s${depth - 1}`);
  });
});

test('any set of spans: each shown once, and the path covers a lone root exactly, without overlap', () => {
  const id = fc.integer({ min: 0, max: 8 }).map((n) => `s${n}`);
  const anySpan = fc.record({
    span_id: id,
    parent_span_id: fc.option(id),
    start: fc.bigInt(0n, 50n),
    end: fc.bigInt(0n, 60n),
  });
  fc.assert(
    fc.property(fc.array(anySpan, { maxLength: 12 }), (spans) => {
      const { roots, nodes, criticalPath } = traceTree(spans);
      expect(new Set(nodes.map((node) => node.span))).toEqual(new Set(spans));
      expect(nodes).toHaveLength(spans.length);
      let last = 0n;
      for (const { start, end } of criticalPath) {
        expect(start >= last && end > start).toBe(true);
        last = end;
      }
      const covered = criticalPath.reduce((sum, { start, end }) => sum + end - start, 0n);
      const [root] = roots;
      if (roots.length === 1 && root!.span.end > root!.span.start)
        expect(covered).toBe(root!.span.end - root!.span.start);
      expect(nodes.reduce((sum, node) => sum + node.criticalNanos, 0n)).toBe(covered);
    }),
  );
});
