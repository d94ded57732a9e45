/**
 * Who calls whom: a span whose parent ran in another component is a call between the two; a client or producer span that nobody we
 * know answered is a call to whatever it names (a database, a queue, somebody else's service), which is told as inferred.
 */
import type { DebugEvent } from '../model/event.ts';
import { Sketch } from '../model/sketch.ts';
import { addressCalledBy } from './failures.ts';
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
  from: { type: string; id: string };
  to: { type: string; id: string };
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

/** @param spans of the range, in any order  @param minutes the length of the range, over 0 */
export function topologyOf(spans: readonly DebugEvent[], minutes: number): Topology {
  const nodes = new Map<string, Omit<TopologyNode, 'health_score' | 'status'>>();
  const edges = new Map<string, Edge>();
  let criticalNanos = 0n;
  for (const { tree } of joinTraces(spans)) {
    const behind = criticalBelow(tree.nodes);
    for (const node of tree.nodes) {
      criticalNanos += node.criticalNanos;
      const { event } = node.span;
      const own = nodeOf(nodes, event.component_type, event.component_id, false);
      const call = callInto(node);
      if (node.parent === null || call !== null) count(own, failed(node));
      if (call !== null) {
        note(
          edges,
          call.caller,
          componentOf(event),
          call.waiting,
          failed(node) || failed(call.waiting),
          behind.get(node)!,
        );
      }
      const peer = unansweredPeer(node);
      if (peer === null) continue;
      count(nodeOf(nodes, 'service', peer, true), failed(node));
      note(edges, event, { type: 'service', id: peer }, node, failed(node), node.criticalNanos);
    }
  }
  return {
    nodes: [...nodes.values()]
      .map(withHealth)
      .sort((a, b) => compare(a.component_type, b.component_type) || compare(a.component_id, b.component_id)),
    edges: [...edges.values()]
      .map((edge) => told(edge, minutes, criticalNanos))
      .sort((a, b) => b.calls - a.calls || compare(a.from.id, b.from.id) || compare(a.to.id, b.to.id)),
  };
}

interface Edge {
  from: { type: string; id: string };
  to: { type: string; id: string };
  calls: number;
  errors: number;
  latency: Sketch;
  criticalNanos: bigint;
}

const CRITICAL_SHARE = 0.1;
// CONTRACT section 7: unhealthy below 70 points.
const CRITICAL_ERROR_RATE = 0.3;

/** The call that a span answers: from the nearest span above it in another component. */
function callInto(node: SpanNode): { caller: DebugEvent; waiting: SpanNode } | null {
  const { parent } = node;
  if (parent === null || componentKey(parent.span.event) === componentKey(node.span.event)) return null;
  const isWaiting = parent.span.event.span?.kind === 'client';
  return { caller: parent.span.event, waiting: isWaiting ? parent : node };
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

function failed(node: SpanNode): boolean {
  return node.span.event.status === 'error';
}

function nodeOf(
  nodes: Map<string, Omit<TopologyNode, 'health_score' | 'status'>>,
  type: string,
  id: string,
  inferred: boolean,
) {
  const key = `${type}/${id}`;
  let node = nodes.get(key);
  if (node === undefined) {
    node = { component_type: type, component_id: id, inferred, calls: 0, errors: 0 };
    nodes.set(key, node);
  }
  // Who sends spans of its own is not inferred, whoever else names it.
  if (!inferred) node.inferred = false;
  return node;
}

function count(node: { calls: number; errors: number }, isError: boolean): void {
  node.calls++;
  if (isError) node.errors++;
}

function note(
  edges: Map<string, Edge>,
  from: DebugEvent,
  to: { type: string; id: string },
  waiting: SpanNode,
  isError: boolean,
  criticalNanos: bigint,
): void {
  const key = `${componentKey(from)}\0${to.type}/${to.id}`;
  let edge = edges.get(key);
  if (edge === undefined) {
    edge = { from: componentOf(from), to, calls: 0, errors: 0, latency: new Sketch(), criticalNanos: 0n };
    edges.set(key, edge);
  }
  count(edge, isError);
  edge.latency.add(Number(waiting.span.end - waiting.span.start) / 1e6);
  edge.criticalNanos += criticalNanos;
}

function withHealth(node: Omit<TopologyNode, 'health_score' | 'status'>): TopologyNode {
  if (node.calls === 0) return { ...node, health_score: null, status: 'unknown' };
  const score = Math.round(1000 * (1 - node.errors / node.calls)) / 10;
  return { ...node, health_score: score, status: score >= 90 ? 'healthy' : score >= 70 ? 'degraded' : 'unhealthy' };
}

function told({ from, to, calls, errors, latency, criticalNanos }: Edge, minutes: number, all: bigint): TopologyEdge {
  const share = all === 0n ? 0 : Math.min(Number(criticalNanos) / Number(all), 1);
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
