/** Failures in call trees: from the failing operation down the unbroken line of failing spans to where it began. */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import { isRecordedException } from '../event-facts.ts';
import { byTime, componentOf, distinctComponents, type SpanNode, type Trace, timeOf } from '../window.ts';
import { type Failure, failedByStatus, push } from './failure.ts';
import { addressCalledBy, type Peers, remoteChild } from './peers.ts';
import { recoveredNodes } from './retries.ts';

export function spanFailures(traces: readonly Trace[], ofNode: Map<SpanNode, DebugEvent[]>, peers: Peers): Failure[] {
  const failing = (node: SpanNode) => failedByStatus(node) || ofNode.has(node);
  const recovered = recoveredNodes(traces, failing, ofNode);
  const failures: Failure[] = [];
  for (const trace of traces) {
    const below = new Map<SpanNode, SpanNode[]>();
    const symptoms: SpanNode[] = [];
    // The nearest failing node above, through spans that only pass a call on; parents come before their children.
    const above = new Map<SpanNode, SpanNode | null>();
    for (const node of trace.tree.nodes) {
      const { parent } = node;
      above.set(node, parent === null ? null : failing(parent) ? parent : passesOn(parent) ? above.get(parent)! : null);
      if (!failing(node) || recovered.has(node)) continue;
      const cause = above.get(node)!;
      if (cause === null) symptoms.push(node);
      else push(below, cause, node);
    }
    for (const symptom of symptoms) {
      const failure = failureBelow(symptom, below, ofNode, peers);
      if (failure !== null) failures.push(failure);
    }
  }
  return failures;
}

function failureBelow(
  symptom: SpanNode,
  below: ReadonlyMap<SpanNode, SpanNode[]>,
  ofNode: ReadonlyMap<SpanNode, DebugEvent[]>,
  peers: Peers,
): Failure | null {
  const nodes = subtree(symptom, below);
  const errors = nodes.flatMap((node) => [
    ...(failedByStatus(node) ? [node.span.event] : []),
    ...(ofNode.get(node) ?? []),
  ]);
  const survived =
    symptom.parent !== null && symptom.span.event.span?.kind !== 'consumer' && endsWithin(symptom, symptom.parent);
  if (survived && !errors.some((event) => event.span === undefined && !isRecordedException(event))) return null;

  const path = [symptom];
  for (let at = symptom; ; ) {
    const first = earliest(below.get(at) ?? [], ofNode);
    const own = ofNode.get(at)?.[0];
    // A node that complained before it called anyone did not fail because of the call.
    if (first === undefined || (own !== undefined && timeOf(own) < first.span.start)) break;
    path.push(first);
    at = first;
  }
  const leaf = path.at(-1)!;
  const chain = path.map((node) => ofNode.get(node)?.[0] ?? node.span.event);
  const { node: guilty, component, dependency } = whoDidNotAnswer(leaf, peers);
  const origin = guilty === null ? chain.at(-1)! : guilty.span.event;
  if (guilty !== null) chain.push(origin);
  const culprit = component ?? componentOf(origin);
  return {
    origin,
    culprit,
    culpritNode: component === null ? origin.node_id : null,
    chain,
    errors: errors.sort(byTime),
    components: distinctComponents([
      culprit,
      ...path.reverse().map((node) => componentOf(node.span.event)),
      ...errors.map(componentOf),
    ]),
    basis: chain.length > 1 ? 'spans' : 'alone',
    fatal: symptom.parent === null,
    silent: guilty !== null || component !== null,
    dependency,
  };
}

/**
 * A failed call whose callee does not say that it failed: a callee that answered with a server error is to blame; where it was
 * still working when the caller gave up, its slowest part; where nothing answers at the address, whoever used to.
 */
function whoDidNotAnswer(
  leaf: SpanNode,
  peers: Peers,
): { node: SpanNode | null; component: ComponentRef | null; dependency: string | null } {
  const nobody = { node: null, component: null, dependency: null };
  if (leaf.span.event.span?.kind !== 'client') return nobody;
  const callee = remoteChild(leaf);
  if (callee === undefined) {
    const dependency = addressCalledBy(leaf);
    const known = dependency === null ? undefined : peers.get(dependency);
    return { node: null, component: known ?? null, dependency };
  }
  const status = leaf.span.event.data['http.response.status_code'] ?? leaf.span.event.data['http.status_code'];
  if (Number(status) >= 500) return { node: callee, component: null, dependency: null };
  const waited = leaf.span.end - leaf.span.start;
  const worked = callee.span.end - callee.span.start;
  if (worked * 10n < waited * 9n) return nobody;
  let slowest = callee;
  for (let next: SpanNode | undefined = callee; next !== undefined; ) {
    slowest = next;
    const half = (slowest.span.end - slowest.span.start) / 2n;
    next = slowest.children.find((child) => child.span.end - child.span.start > half);
  }
  return { node: slowest, component: null, dependency: null };
}

/** A span that neither failed nor is known to have gone well: it may have passed a failure on. Calls tell by their protocol's status. */
function passesOn({ span: { event } }: SpanNode): boolean {
  if (event.status === 'ok') return false;
  const isInside = event.span?.kind === 'internal' || event.span?.kind === 'unspecified';
  return isInside || !PROTOCOL_STATUS.some((key) => Object.hasOwn(event.data, key));
}

const PROTOCOL_STATUS = [
  'http.response.status_code',
  'http.status_code',
  'rpc.response.status_code',
  'rpc.grpc.status_code',
];

export function earliest(
  nodes: readonly SpanNode[],
  ofNode: ReadonlyMap<SpanNode, DebugEvent[]>,
): SpanNode | undefined {
  const failedAt = (node: SpanNode) => {
    const own = ofNode.get(node)?.[0];
    return own !== undefined && timeOf(own) < node.span.end ? timeOf(own) : node.span.end;
  };
  let first: SpanNode | undefined;
  for (const node of nodes) if (first === undefined || failedAt(node) < failedAt(first)) first = node;
  return first;
}

function endsWithin(node: SpanNode, parent: SpanNode): boolean {
  return node.span.start <= parent.span.end && node.span.end <= parent.span.end + (parent.span.end - parent.span.start);
}

function subtree(root: SpanNode, below: ReadonlyMap<SpanNode, SpanNode[]>): SpanNode[] {
  const nodes = [root];
  for (let i = 0; i < nodes.length; i++) for (const node of below.get(nodes[i]!) ?? []) nodes.push(node);
  return nodes;
}
