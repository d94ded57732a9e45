/** What an engineer would ask after trouble, asked over the public REST API and nowhere else. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Order } from './shop.ts';

export interface Answers {
  /** Which component is unhealthy? The least healthy first. */
  health: ComponentHealth[];
  /** Why did this operation fail? Null when every order was placed. */
  failure: Explanation | null;
  /** Which node diverged? Of the last order. */
  consistency: Insight | null;
  /** What else is wrong? Warnings and worse, the worst first. */
  insights: Insight[];
}

interface ComponentRef {
  component_type: string;
  component_id: string;
}

export interface ComponentHealth extends ComponentRef {
  status: string;
  health_score: number | null;
  error_rate: number | null;
  /** Its own that are open. */
  insights: { severity: string; title: string }[];
}

export interface Explanation {
  operation_id: string;
  description: string;
  root_cause: ChainLink | null;
  chain: ChainLink[];
  suggestions: { action: string; why: string }[];
  confidence: number;
}

interface ChainLink extends ComponentRef {
  event_id: string;
  message: string;
  timestamp: string;
}

export interface Insight {
  id: string;
  insight_type: string;
  severity: 'info' | 'warning' | 'critical';
  title: string;
  summary: string;
  confidence_score: number;
  affected_components: { type: string; id: string }[];
  suggestions: { action: string; why: string }[];
  evidence: { event_ids: string[]; numbers: Record<string, unknown> };
}

/**
 * Asks about what happened between two times.
 * @param api as `http://127.0.0.1:4319/api/debug`
 * @param orders those of that time, in the order they were made
 * @throws Error with the problem's own words, when a question is refused
 */
export async function askAbout(api: string, window: TimeWindow, orders: readonly Order[]): Promise<Answers> {
  const inWindow = new URLSearchParams({ start: window.start, end: window.end });
  // Analyzers first: what they find is part of every answer after it.
  const insights = await post<Insight[]>(`${api}/insights/generate`, window);
  const { by_component } = await get<{ by_component: ComponentRef[] }>(`${api}/analytics/system-health?${inWindow}`);
  const failed = orders.find((order) => !order.placed);
  return {
    health: await Promise.all(
      by_component.map(({ component_type, component_id }) =>
        post<ComponentHealth>(`${api}/analytics/component-health`, { component_type, component_id, ...window }),
      ),
    ),
    failure: failed === undefined ? null : await explain(api, failed),
    consistency: await post<Insight>(`${api}/analytics/consistency`, { operation_id: orders.at(-1)!.id }),
    insights: insights.filter(({ severity }) => severity !== 'info').sort(worstFirst),
  };
}

/** RFC 3339, inclusive. */
export interface TimeWindow {
  start: string;
  end: string;
}

/**
 * Waits until all that the shop said about its orders can be read: the front's own span of the last one, which ends last of all, and
 * then nothing new of any service for a while, as each sends on a beat of its own. Asked earlier, a failure would seem to begin
 * in whoever was heard first.
 */
export async function untilReadable(api: string, last: Order, quietMs: number, signal: AbortSignal): Promise<void> {
  const query = new URLSearchParams({ operation_id: last.id, component_id: 'front', event_type: 'span', limit: '1' });
  const deadlineMs = performance.now() + READABLE_MS;
  while ((await get<unknown[]>(`${api}/events?${query}`)).length === 0) {
    if (performance.now() > deadlineMs)
      throw new Error(`order ${last.id} did not become readable in ${READABLE_MS / 1000} s`);
    await sleep(100, undefined, { signal });
  }
  let heard = await eventsOfShop(api);
  for (let sinceMs = performance.now(); performance.now() < Math.min(sinceMs + quietMs, deadlineMs); ) {
    await sleep(100, undefined, { signal });
    const now = await eventsOfShop(api);
    if (now !== heard) sinceMs = performance.now();
    heard = now;
  }
}

const READABLE_MS = 20_000;

async function eventsOfShop(api: string): Promise<number> {
  const health = await get<{ by_component: { component_id: string; total_events: number }[] }>(
    `${api}/analytics/system-health?time_range=15m`,
  );
  const ours = health.by_component.filter(({ component_id }) =>
    ['front', 'orders', 'inventory'].includes(component_id),
  );
  return ours.reduce((sum, { total_events }) => sum + total_events, 0);
}

async function explain(api: string, order: Order): Promise<Explanation> {
  // What the customer was told: the front's own error.
  const query = new URLSearchParams({ operation_id: order.id, component_id: 'front', min_level: 'ERROR', limit: '1' });
  const [error] = await get<{ id: string }[]>(`${api}/events?${query}`);
  if (error === undefined) throw new Error(`order ${order.id} failed, but the system knows of no error in it`);
  return {
    operation_id: order.id,
    ...(await get<Omit<Explanation, 'operation_id'>>(`${api}/errors/${error.id}/explain`)),
  };
}

function worstFirst(a: Insight, b: Insight): number {
  const rank = ({ severity }: Insight) => (severity === 'critical' ? 1 : 0);
  return rank(b) - rank(a) || b.confidence_score - a.confidence_score;
}

function get<T>(url: string): Promise<T> {
  return ask(url, { method: 'GET' });
}

function post<T>(url: string, body: unknown): Promise<T> {
  return ask(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

async function ask<T>(url: string, request: RequestInit): Promise<T> {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(30_000) });
  const answer = (await response.json()) as { data: T; detail?: string };
  if (!response.ok) throw new Error(`${request.method} ${url} answered ${response.status}: ${answer.detail}`);
  return answer.data;
}
