/** Which failing spans were tried again and then went well: they are no failures, and what is below them is none either. */
import type { DebugEvent } from '../../model/event.ts';
import { textAt } from '../event-facts.ts';
import { byTime, componentKey, type SpanNode, type Trace, timeOf } from '../window.ts';
import { failedByStatus } from './failure.ts';

/** Failing spans that were tried again, beside them and by the same name, and then went well; with all that is below them. */
export function recoveredNodes(
  traces: readonly Trace[],
  failing: (node: SpanNode) => boolean,
  ofNode: Map<SpanNode, DebugEvent[]>,
): Set<SpanNode> {
  const recovered = new Set<SpanNode>();
  const mend = (nodes: readonly SpanNode[], parent: SpanNode | null) => {
    const lastSuccess = new Map<string, SpanNode>();
    for (const node of nodes) if (!failing(node)) lastSuccess.set(retryKey(node), node);
    const mended: { node: SpanNode; by: SpanNode }[] = [];
    let failed = 0;
    for (const node of nodes) {
      if (!failing(node)) continue;
      failed++;
      const success = lastSuccess.get(retryKey(node));
      if (success !== undefined && success.span.start >= node.span.end) mended.push({ node, by: success });
    }
    // What looks mended and is all that failed below a failing caller was no retry: the other one was another item.
    if (mended.length === failed && parent !== null && failedByStatus(parent)) return null;
    for (const { node } of mended) recovered.add(node);
    return mended.length === 0 ? null : { from: mended[0]!.node.span.start, until: mended.at(-1)!.by.span.end };
  };
  mend(
    traces.flatMap((trace) => trace.tree.roots).sort((a, b) => byTime(a.span.event, b.span.event)),
    null,
  );
  for (const trace of traces) {
    for (const node of trace.tree.nodes) {
      if (node.parent !== null && recovered.has(node.parent)) recovered.add(node);
      if (node.children.length < 2) continue;
      const mended = mend(node.children, node);
      const own = ofNode.get(node);
      // What the caller said about the failed attempt is mended with it.
      if (mended === null || own === undefined || failedByStatus(node)) continue;
      const left = own.filter((error) => timeOf(error) < mended.from || timeOf(error) > mended.until);
      if (left.length === 0) ofNode.delete(node);
      else ofNode.set(node, left);
    }
  }
  return recovered;
}

/** Equal for two attempts at the same thing; the host may differ, another replica may have been tried. */
function retryKey({ span: { event } }: SpanNode): string {
  const url = textAt(event, 'url.full') ?? textAt(event, 'http.url');
  const path =
    url === undefined
      ? (textAt(event, 'url.path') ?? textAt(event, 'http.target'))
      : url.replace(/^[a-z]+:\/\/[^/]*/, '');
  const what = [
    'http.request.method',
    'rpc.service',
    'rpc.method',
    'db.query.text',
    'db.statement',
    'messaging.destination.name',
  ];
  return [componentKey(event), event.name, event.operation_id, path, ...what.map((key) => textAt(event, key))].join(
    '\0',
  );
}
