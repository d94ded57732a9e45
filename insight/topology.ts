/**
 * Who calls whom, from the edges of each minute as they were counted when their spans arrived (model/rollup.ts): calls between components, and
 * calls to whatever a span names that sends nothing itself (a database, a queue, somebody else's service), which is told as inferred. What
 * of the critical path lies behind a call is told from some of the spans.
 */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import type { EdgeMinute } from '../model/rollup.ts';
import { Sketch } from '../model/sketch.ts';
import { addressCalledBy } from './failures/peers.ts';
import { componentKey, componentOf, joinTraces, type SpanNode } from './window.ts';

export interface Topology {
  /** By type and id. */
  nodes: TopologyNode[];
  /** The most called first. */
  edges: TopologyEdge[];
}

export interface TopologyNode {
  component_type: string;
  component_id: string;
  /** Known only from those that call it: it sends nothing itself. */
  inferred: boolean;
  /** Calls that it answered, or that were made to it where it is inferred; of these, those that failed. */
  calls: number;
  errors: number;
  /** As CONTRACT section 7 says of events, here of calls; null without any. */
  health_score: number | null;
  status: 'healthy' | 'degraded' | 'unhealthy' | 'unknown';
}

export interface TopologyEdge {
  from: ComponentRef;
  to: ComponentRef;
  calls: number;
  calls_per_minute: number;
  errors: number;
  error_rate: number;
  /** As the caller waited where it has a span for the call, else as the callee worked. */
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
  /** The part of the critical path of the traces that lies behind this call, 0 to 1. */
  critical_share: number;
  /** More than a tenth of the time of all traces is spent behind it, or it fails where others do not. */
  critical: boolean;
}

export interface TopologyInput {
  /** Of the range, in any order. */
  edges: readonly Omit<EdgeMinute, 'minute'>[];
  /** Some of the range, for the critical path: the newest will do, as shares are stable long before all are read. */
  spans: readonly DebugEvent[];
  /** The length of the range, over 0. */
  minutes: number;
}

export function topologyOf({ edges, spans, minutes }: TopologyInput): Topology {
  const shares = criticalShares(spans);
  const nodes = new Map<string, Omit<TopologyNode, 'health_score' | 'status'>>();
  const sums = new Map<string, EdgeSum>();
  for (const edge of edges) {
    const from = { type: edge.from_type, id: edge.from_id };
    const to = { type: edge.to_type, id: edge.to_id };
    const called = nodeOf(nodes, to, edge.kind === 'peer');
    called.calls += edge.calls;
    called.errors += edge.errors;
    if (edge.kind === 'entry' || edge.kind === 'unmatched') continue;
    nodeOf(nodes, from, false);
    const key = edgeKey(from, to);
    const sum = sums.get(key);
    if (sum === undefined) {
      sums.set(key, { from, to, calls: edge.calls, errors: edge.errors, latency: edge.latency });
      continue;
    }
    sum.calls += edge.calls;
    sum.errors += edge.errors;
    const latency = new Sketch();
    for (const one of [sum.latency, edge.latency]) latency.merge(one);
    sum.latency = latency;
  }
  return {
    nodes: [...nodes.values()]
      .map(withHealth)
      .sort((a, b) => compare(a.component_type, b.component_type) || compare(a.component_id, b.component_id)),
    edges: [...sums]
      .map(([key, edge]) => told(edge, minutes, shares.get(key) ?? 0))
      .sort((a, b) => b.calls - a.calls || compare(a.from.id, b.from.id) || compare(a.to.id, b.to.id)),
  };
}

interface EdgeSum {
  from: ComponentRef;
  to: ComponentRef;
  calls: number;
  errors: number;
  latency: Sketch;
}

const CRITICAL_SHARE = 0.1;
// CONTRACT section 7: unhealthy below 70 points.
const CRITICAL_ERROR_RATE = 0.3;

/** By edge, the part of the critical path of the traces that lies behind it, 0 to 1. */
function criticalShares(spans: readonly DebugEvent[]): Map<string, number> {
  const nanosBehind = new Map<string, bigint>();
  let all = 0n;
  for (const { tree } of joinTraces(spans)) {
    const below = criticalBelow(tree.nodes);
    const note = (from: DebugEvent, to: ComponentRef, nanos: bigint) => {
      const key = edgeKey(componentOf(from), to);
      nanosBehind.set(key, (nanosBehind.get(key) ?? 0n) + nanos);
    };
    for (const node of tree.nodes) {
      all += node.criticalNanos;
      const { event } = node.span;
      const caller = node.parent?.span.event;
      if (caller !== undefined && componentKey(caller) !== componentKey(event))
        note(caller, componentOf(event), below.get(node)!);
      const peer = unansweredPeer(node);
      if (peer !== null) note(event, { type: 'service', id: peer }, node.criticalNanos);
    }
  }
  return new Map(
    [...nanosBehind].map(([key, nanos]) => [key, all === 0n ? 0 : Math.min(Number(nanos) / Number(all), 1)]),
  );
}

/** Whom a call names that nobody we know answered. */
function unansweredPeer(node: SpanNode): string | null {
  const own = componentKey(node.span.event);
  // A driver's span below a client span of one's own names the same peer again.
  if (
    node.children.length > 0 &&
    node.children.some((child) => componentKey(child.span.event) !== own || addressCalledBy(child) !== null)
  )
    return null;
  return addressCalledBy(node);
}

/** The part of the critical path that lies in each span and below it. @param nodes parents before their children */
function criticalBelow(nodes: readonly SpanNode[]): Map<SpanNode, bigint> {
  const below = new Map<SpanNode, bigint>();
  for (const node of nodes.toReversed()) {
    let nanos = node.criticalNanos;
    for (const child of node.children) nanos += below.get(child)!;
    below.set(node, nanos);
  }
  return below;
}

function nodeOf(
  nodes: Map<string, Omit<TopologyNode, 'health_score' | 'status'>>,
  { type, id }: ComponentRef,
  inferred: boolean,
) {
  const key = JSON.stringify([type, id]);
  let node = nodes.get(key);
  if (node === undefined) {
    node = { component_type: type, component_id: id, inferred, calls: 0, errors: 0 };
    nodes.set(key, node);
  }
  // Who sends spans of its own is not inferred, whoever else names it.
  if (!inferred) node.inferred = false;
  return node;
}

function edgeKey(from: ComponentRef, to: ComponentRef): string {
  return JSON.stringify([from.type, from.id, to.type, to.id]);
}

function withHealth(node: Omit<TopologyNode, 'health_score' | 'status'>): TopologyNode {
  if (node.calls === 0) return { ...node, health_score: null, status: 'unknown' };
  const score = Math.round(1000 * (1 - node.errors / node.calls)) / 10;
  return { ...node, health_score: score, status: score >= 90 ? 'healthy' : score >= 70 ? 'degraded' : 'unhealthy' };
}

function told({ from, to, calls, errors, latency }: EdgeSum, minutes: number, share: number): TopologyEdge {
  const error_rate = errors / calls;
  const quantile = (q: number) => Math.round(1000 * (latency.quantile(q) ?? 0)) / 1000;
  return {
    from,
    to,
    calls,
    calls_per_minute: Math.round((100 * calls) / minutes) / 100,
    errors,
    error_rate,
    p50_ms: quantile(0.5),
    p95_ms: quantile(0.95),
    p99_ms: quantile(0.99),
    critical_share: Math.round(1000 * share) / 1000,
    critical: share > CRITICAL_SHARE || error_rate > CRITICAL_ERROR_RATE,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
