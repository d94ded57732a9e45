/** Which nodes (instances, pods, hosts) spoke as which components, and since when: from the resources that they spoke with (decision 027). */
import { formatNanos } from '../model/time.ts';
import { type Answer, beginReading } from './answer.ts';
import type { QueryNeeds } from './needs.ts';
import { parseWindow } from './params.ts';
import { nodeOf, type ResourcesRequest, resourcesUntil, spokeIn } from './resources.ts';

export interface ComponentNode {
  component_type: string;
  component_id: string;
  node_id: string;
  /** `service.version` of what spoke on it last; null where it says none. */
  version: string | null;
  /** Of all that is retained, not of the window alone. */
  first_seen: string;
  /** While it goes on up to a minute early. */
  last_seen: string;
}

export interface NodeAnswers {
  /** Those that spoke in the window (the last hour by default; within a minute at its start), the newest first, 1,000 at most. */
  nodes(tenant: string, request: ResourcesRequest): Promise<Answer<ComponentNode[]>>;
}

export function createNodeAnswers(needs: QueryNeeds): NodeAnswers {
  return {
    async nodes(tenant, request) {
      const reading = await beginReading(needs);
      const window = parseWindow(request, reading.now);
      const { resources, truncated } = await resourcesUntil(needs, tenant, request, window);
      const nodes = new Map<string, Spoken>();
      for (const { component_type, component_id, attributes, first_time: first, last_time: last } of resources) {
        const node_id = nodeOf(attributes);
        if (node_id === null) continue;
        const name = JSON.stringify([component_type, component_id, node_id]);
        const known = nodes.get(name);
        if (known === undefined) {
          const said = attributes['service.version'];
          const version = typeof said === 'string' ? said : null;
          nodes.set(name, { component_type, component_id, node_id, version, first, last });
        } else if (first < known.first) known.first = first; // the last to speak came first
      }
      const spoke = [...nodes.values()].filter((node) => spokeIn(window, node));
      const views = spoke.sort(byFirst).map(({ first, last, ...node }): ComponentNode => {
        return { ...node, first_seen: formatNanos(first), last_seen: formatNanos(last) };
      });
      return reading.answer(views.slice(0, NODES_MAX), { truncated: truncated || views.length > NODES_MAX });
    },
  };
}

interface Spoken extends Omit<ComponentNode, 'first_seen' | 'last_seen'> {
  first: bigint;
  last: bigint;
}

const NODES_MAX = 1000;

function byFirst(a: Spoken, b: Spoken): number {
  if (a.first !== b.first) return a.first < b.first ? 1 : -1;
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

const nameOf = ({ component_type, component_id, node_id }: Spoken) => `${component_id}\0${node_id}\0${component_type}`;
