/** Who answers at an address, learned from calls that were answered. */
import type { ComponentRef } from '../../model/block.ts';
import { PEER_HOST_KEYS, PEER_NAME_KEYS, PEER_PORT_KEYS, TOOL_SPAN_PREFIX } from '../../model/peer.ts';
import { textAt } from '../event-facts.ts';
import { componentKey, componentOf, type SpanNode, type Trace } from '../window.ts';

/** Which component answers at an address, as `host:port`, learned from calls that were answered. */
export type Peers = ReadonlyMap<string, ComponentRef>;

export function learnPeers(traces: Iterable<Trace>): Peers {
  const peers = new Map<string, ComponentRef>();
  for (const trace of traces) {
    for (const node of trace.tree.nodes) {
      const address = addressCalledBy(node);
      const answered = address === null ? undefined : remoteChild(node);
      if (answered !== undefined) peers.set(address!, componentOf(answered.span.event));
    }
  }
  return peers;
}

/** The span below a call that runs in another component. */
export function remoteChild(node: SpanNode): SpanNode | undefined {
  return node.children.find((child) => componentKey(child.span.event) !== componentKey(node.span.event));
}

/** `host:port`, else the name of the system or tool, that a client span or an agent's tool call says it called. */
export function addressCalledBy(node: SpanNode): string | null {
  const { event } = node.span;
  const kind = event.span?.kind;
  const isTool = kind === 'internal' && event.name?.startsWith(TOOL_SPAN_PREFIX) === true;
  if (kind !== 'client' && kind !== 'producer' && !isTool) return null;
  const said = (keys: readonly string[]) => keys.map((key) => textAt(event, key)).find((text) => text !== undefined);
  const host = said(PEER_HOST_KEYS);
  if (host === undefined) return said(PEER_NAME_KEYS) ?? null;
  const port = PEER_PORT_KEYS.map((key) => event.data[key]).find((value) => value !== undefined);
  return port === undefined ? host : `${host}:${String(port)}`;
}
