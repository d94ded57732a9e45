/** The resources behind answers about versions and nodes: what spoke up to the end of a window, and what within it. */
import type { JsonObject } from '../model/json.ts';
import { RESOURCE_LAG_NANOS, type Resource } from '../model/resource.ts';
import type { QueryNeeds } from './needs.ts';
import type { TimeRangeInput, Window } from './params.ts';

export interface ResourcesRequest extends TimeRangeInput {
  component_type?: string | null | undefined;
  component_id?: string | null | undefined;
}

/** Also those from before the window: what is new is told by what there was before it. The last to speak first; cut where there are more than 5,000. */
export async function resourcesUntil(
  { rows }: Pick<QueryNeeds, 'rows'>,
  tenant: string,
  { component_type, component_id }: ResourcesRequest,
  { end }: Window,
): Promise<{ resources: Resource[]; truncated: boolean }> {
  const resources = await rows.resources(tenant, {
    ...{ start: 0n, end, limit: RESOURCES_MAX },
    ...(component_type != null && { component_type }),
    ...(component_id != null && { component_id }),
  });
  return { resources, truncated: resources.length === RESOURCES_MAX };
}

/** Whether it spoke in the window, or within a minute before it: the last time may lag by as much. */
export function spokeIn(window: Window, { first, last }: { first: bigint; last: bigint }): boolean {
  return first <= window.end && last + RESOURCE_LAG_NANOS >= window.start;
}

/** The replica, as CONTRACT says of `node_id`; null where the resource names none. */
export function nodeOf(attributes: JsonObject): string | null {
  for (const key of NODE_KEYS) {
    const value = attributes[key];
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}

// A kilobyte each.
const RESOURCES_MAX = 5000;
const NODE_KEYS = ['service.instance.id', 'k8s.pod.name', 'host.name'];
