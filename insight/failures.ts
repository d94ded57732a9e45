/**
 * What failed in a correlation, and where it began.
 *
 * In a call tree failure travels from callee to caller, so the origin lies at the end of the unbroken line of failing spans below
 * the failing operation; where several children failed, the one that failed first began it. Events linked by their parent
 * event fail from parent to child, so there the origin is the topmost failing ancestor. Errors with neither
 * follow whom they name, else time. What is not a failure: an exception that its span handled, a failing call that its caller survived
 * without a word, and a step that was tried again and then went well.
 */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import { PEER_HOST_KEYS, PEER_NAME_KEYS, PEER_PORT_KEYS, TOOL_SPAN_PREFIX } from '../model/peer.ts';
import type { Budget } from './analyzer.ts';
import { isError, isRecordedException, isSuccess, namedStepOf, patternOf, textAt } from './event-facts.ts';
import { joinLinked, namedChain } from './failure-links.ts';
import {
  byTime,
  type Correlation,
  componentKey,
  componentOf,
  type SpanNode,
  type Trace,
  timeOf,
  type Window,
} from './window.ts';

export interface Failure {
  /** What failed first: the error that says so, else the failing span. */
  origin: DebugEvent;
  culprit: ComponentRef;
  /** The replica, when the culprit said which. */
  culpritNode: string | null;
  /** From the symptom (what the outside saw) to the origin; the origin alone when there is nothing between. */
  chain: DebugEvent[];
  /** Everything that failed with it, by time. */
  errors: DebugEvent[];
  /** Whom it reached: the culprit first, then by the way from the origin to the symptom. */
  components: ComponentRef[];
  /** What the order of the chain rests on. */
  basis: 'alone' | 'spans' | 'parent_links' | 'names' | 'time';
  /** Nothing above it is known to have gone well. */
  fatal: boolean;
  /** The culprit did not fail by itself but did not answer in time, or at all. */
  silent: boolean;
  /** The address that the last span of the chain called, where nothing behind it reports. */
  dependency: string | null;
}

/** Which component answers at an address, as `host:port`, learned from calls that were answered. */
export type Peers = ReadonlyMap<string, ComponentRef>;

/** Of all correlations of a window, by correlation and time; found once and kept for the analyzers that come after. */
export function failuresOf(window: Window, budget: Budget): readonly FailedOperation[] {
  let found = foundIn.get(window);
  if (found === undefined) {
    const peers = learnPeers(tracesOf(window));
    found = [];
    for (const correlation of window.correlations) {
      budget.check();
      for (const failure of findFailures(correlation, peers)) found.push({ correlation, failure });
    }
    foundIn.set(window, found);
  }
  return found;
}

export interface FailedOperation {
  correlation: Correlation;
  failure: Failure;
}

const foundIn = new WeakMap<Window, FailedOperation[]>();

function* tracesOf(window: Window): Iterable<Trace> {
  yield* window.baseline;
  for (const { traces } of window.correlations) yield* traces;
}

/** @returns failures by the time of their origin */
export function findFailures(correlation: Correlation, peers: Peers): Failure[] {
  const errors = correlation.events.filter(isError).filter(notRecoveredLater(correlation.events));
  const traces = new Map(correlation.traces.map((trace) => [trace.id, trace]));
  const ofNode = new Map<SpanNode, DebugEvent[]>();
  const loose: DebugEvent[] = [];
  for (const error of errors) {
    const node =
      error.trace_id !== null && error.span_id !== null && traces.get(error.trace_id)?.byId.get(error.span_id);
    if (!node) loose.push(error);
    else if (!isRecordedException(error) || failedByStatus(node)) push(ofNode, node, error);
  }
  const failures = joinLinked(spanFailures(correlation.traces, ofNode, peers), traces, becauseOf);
  const unattached = loose.filter((error) => !attach(error, failures));
  return [...failures, ...looseFailures(unattached, correlation.events)].sort((a, b) => byTime(a.origin, b.origin));
}

/** A failure that another one led to, through a message or a job, is part of it. */
function becauseOf(cause: Failure, effect: Failure): Failure {
  return {
    ...cause,
    chain: [...effect.chain, ...cause.chain.slice(-1)],
    errors: distinctEvents([...cause.errors, ...effect.errors]).sort(byTime),
    components: distinct([...cause.components, ...effect.components]),
    basis: 'spans',
    fatal: cause.fatal || effect.fatal,
  };
}

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

function failedByStatus(node: SpanNode): boolean {
  return node.span.event.status === 'error';
}

// ---- call trees -------------------------------------------------------------------------------------------------------

function spanFailures(traces: readonly Trace[], ofNode: Map<SpanNode, DebugEvent[]>, peers: Peers): Failure[] {
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
    components: distinct([
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

/** Failing spans that were tried again, beside them and by the same name, and then went well; with all that is below them. */
function recoveredNodes(
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

function earliest(nodes: readonly SpanNode[], ofNode: ReadonlyMap<SpanNode, DebugEvent[]>): SpanNode | undefined {
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

// ---- events without spans ---------------------------------------------------------------------------------------------

/** An error without a span joins a failure that reached its component. */
function attach(error: DebugEvent, failures: readonly Failure[]): boolean {
  const key = componentKey(error);
  const failure = failures.find(({ components }) => components.some((component) => componentKey(component) === key));
  failure?.errors.push(error);
  return failure !== undefined;
}

/** One failure for each origin reached by parent links; those that stand alone are one, the earliest its origin. */
function looseFailures(errors: readonly DebugEvent[], events: readonly DebugEvent[]): Failure[] {
  if (errors.length === 0) return [];
  const parents = parentLinks(errors, events);
  const isOpen = new Set(errors);
  const failures: Failure[] = [];
  const alone: DebugEvent[] = [];
  for (const [origin, { members, deepest }] of byOrigin(errors, parents, isOpen)) {
    if (deepest === origin) {
      alone.push(origin);
      continue;
    }
    const chain: DebugEvent[] = [];
    for (let at: DebugEvent | undefined = deepest; at !== undefined; at = parents.get(at))
      if (isOpen.has(at)) chain.push(at);
    failures.push(looseFailure(origin, chain, members, 'parent_links'));
  }
  if (alone.length > 0) {
    const named = namedChain(alone);
    const [origin] = named as [DebugEvent];
    // The same words again are the same error, not its effect.
    const pattern = patternOf(origin);
    const effect = alone.findLast((error) => patternOf(error) !== pattern);
    if (named.length > 1) failures.push(looseFailure(origin, [...named].reverse(), alone, 'names'));
    else
      failures.push(
        looseFailure(
          origin,
          effect === undefined ? [origin] : [effect, origin],
          alone,
          effect === undefined ? 'alone' : 'time',
        ),
      );
  }
  return failures;
}

/** Parents of the errors and of all above them; a circle is cut above its earliest event. */
function parentLinks(errors: readonly DebugEvent[], events: readonly DebugEvent[]): Map<DebugEvent, DebugEvent> {
  const parents = new Map<DebugEvent, DebugEvent>();
  const byId = new Map(events.map((event) => [event.id, event]));
  const settled = new Set<DebugEvent>();
  for (const error of errors) {
    const path = new Set<DebugEvent>();
    let at: DebugEvent | undefined = error;
    while (at !== undefined && !settled.has(at) && !path.has(at)) {
      path.add(at);
      const parent: DebugEvent | undefined = at.parent_event_id === null ? undefined : byId.get(at.parent_event_id);
      if (parent !== undefined) parents.set(at, parent);
      at = parent;
    }
    if (at !== undefined && path.has(at)) {
      let earliest = at;
      for (let next = parents.get(at)!; next !== at; next = parents.get(next)!)
        if (byTime(next, earliest) < 0) earliest = next;
      parents.delete(earliest);
    }
    for (const event of path) settled.add(event);
  }
  return parents;
}

/** The topmost error above each error, which may be itself, with all the errors below it and the one farthest down. */
function byOrigin(
  errors: readonly DebugEvent[],
  parents: ReadonlyMap<DebugEvent, DebugEvent>,
  isOpen: ReadonlySet<DebugEvent>,
): Map<DebugEvent, { members: DebugEvent[]; deepest: DebugEvent }> {
  const places = new Map<DebugEvent, { origin: DebugEvent | null; depth: number }>();
  const place = (event: DebugEvent) => {
    const path: DebugEvent[] = [];
    for (let at: DebugEvent | undefined = event; at !== undefined && !places.has(at); at = parents.get(at))
      path.push(at);
    for (const at of path.reverse()) {
      const above = places.get(parents.get(at)!);
      places.set(at, { origin: above?.origin ?? (isOpen.has(at) ? at : null), depth: (above?.depth ?? 0) + 1 });
    }
    return places.get(event)!;
  };
  const origins = new Map<DebugEvent, { members: DebugEvent[]; deepest: DebugEvent }>();
  for (const error of errors) {
    const { origin, depth } = place(error);
    const known = origins.get(origin!);
    if (known === undefined) origins.set(origin!, { members: [error], deepest: error });
    else {
      known.members.push(error);
      if (depth > place(known.deepest).depth) known.deepest = error;
    }
  }
  return origins;
}

function looseFailure(origin: DebugEvent, chain: DebugEvent[], errors: DebugEvent[], basis: Failure['basis']): Failure {
  return {
    origin,
    culprit: componentOf(origin),
    culpritNode: origin.node_id,
    chain,
    errors: distinctEvents([origin, ...errors]).sort(byTime),
    components: distinct([origin, ...errors].map(componentOf)),
    basis,
    fatal: true,
    silent: false,
    dependency: null,
  };
}

/** Tells errors after which the same step, or the whole of the component's operation, was said to have gone well. */
function notRecoveredLater(events: readonly DebugEvent[]): (error: DebugEvent) => boolean {
  const lastSuccess = new Map<string, string>();
  const keyOf = (event: DebugEvent, step: string | undefined) =>
    `${componentKey(event)}\0${event.operation_id}\0${step ?? ''}`;
  for (const event of events) {
    if (event.span !== undefined || !isSuccess(event)) continue;
    lastSuccess.set(keyOf(event, namedStepOf(event)), event.timestamp);
  }
  return (error) => {
    const success = lastSuccess.get(keyOf(error, namedStepOf(error)));
    return success === undefined || success < error.timestamp;
  };
}

// -----------------------------------------------------------------------------------------------------------------------

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function distinct(components: readonly ComponentRef[]): ComponentRef[] {
  return [...new Map(components.map((component) => [componentKey(component), component])).values()];
}

function distinctEvents(events: readonly DebugEvent[]): DebugEvent[] {
  return [...new Set(events)];
}
