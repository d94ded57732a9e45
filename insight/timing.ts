/**
 * Whose time it was. A span's own time is what no child of it used; the own time of a call that another component answered was spent on the
 * way there or in its queue, so it is the callee's, like what happens behind it.
 */
import type { ComponentRef } from '../model/block.ts';
import { addressCalledBy, remoteChild } from './failures/peers.ts';
import { componentKey, componentOf, type SpanNode, type Trace } from './window.ts';

export interface OwnTime {
  component: ComponentRef;
  nodeId: string | null;
  /** What it was doing, in words that recur: the span's name, `waiting for <address>`, `the way to <component>`. */
  step: string;
}

/** Who used the time of a span that its children did not use. */
export function ownerOf(node: SpanNode): OwnTime {
  const { event } = node.span;
  const name = event.name ?? event.message;
  if (event.span?.kind === 'client') {
    const callee = remoteChild(node)?.span.event;
    if (callee !== undefined) {
      return { component: componentOf(callee), nodeId: callee.node_id, step: `the way to ${componentKey(callee)}` };
    }
    const address = addressCalledBy(node);
    if (address !== null)
      return { component: componentOf(event), nodeId: event.node_id, step: `${name}, waiting for ${address}` };
  }
  return { component: componentOf(event), nodeId: event.node_id, step: name };
}

/** In a sentence: a step that names the component already does not name it twice. */
export function wordsOf({ component, step }: OwnTime): string {
  const key = componentKey(component);
  return step.includes(key) ? step : `${step} of ${key}`;
}

export interface Share extends OwnTime {
  ms: number;
  /** Of the whole operation, 0 to 1. */
  share: number;
  node: SpanNode;
}

/**
 * How the time of an operation divides, by own time on the critical path, the largest part first; parts of one component and step
 * are one.
 */
export function divide(operation: SpanNode): Share[] {
  const total = Number(operation.span.end - operation.span.start);
  const parts = new Map<string, Share>();
  const stack = [operation];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const child of node.children) stack.push(child);
    if (node.criticalNanos === 0n) continue;
    const owner = ownerOf(node);
    const key = `${componentKey(owner.component)}\0${owner.step}`;
    const ms = Number(node.criticalNanos) / 1e6;
    const part = parts.get(key);
    if (part === undefined) {
      parts.set(key, { ...owner, ms, share: 0, node });
    } else {
      part.ms += ms;
      if (node.criticalNanos > part.node.criticalNanos) part.node = node;
    }
  }
  for (const part of parts.values()) part.share = total === 0 ? 0 : (part.ms * 1e6) / total;
  return [...parts.values()].sort((a, b) => b.ms - a.ms);
}

/** The span that all of a trace happened under; null when it is not there, or a span below it lacks its parent. */
export function wholeOperation({ tree }: Trace): SpanNode | null {
  const [root] = tree.roots;
  return tree.roots.length === 1 && root!.span.parent_span_id === null ? root! : null;
}

export function durationMs(node: SpanNode): number {
  return Number(node.span.end - node.span.start) / 1e6;
}
