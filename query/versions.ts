/** Which versions of which components spoke, and since when: from the resources that they spoke with (decision 027), not from a sample of events. */
import type { Json } from '../model/json.ts';
import type { Resource } from '../model/resource.ts';
import { formatNanos, parseNanos } from '../model/time.ts';
import { type Answer, beginReading } from './answer.ts';
import type { QueryNeeds } from './needs.ts';
import { parseWindow, type Window } from './params.ts';
import { nodeOf, type ResourcesRequest, resourcesUntil, spokeIn } from './resources.ts';

/** One value of one resource attribute that says which version of a component spoke. */
export interface ComponentVersion {
  component_type: string;
  component_id: string;
  /** `service.version`, `container.image.tags`, `deployment.id`, … */
  attribute: string;
  version: string;
  /** Of all that is retained, not of the window alone. */
  first_seen: string;
  /** While it goes on up to a minute early. */
  last_seen: string;
  /** How many instances, pods or hosts spoke with it; 0 where none of them has a name. */
  nodes: number;
  /** The value of the same attribute that was new last before this one was; null where none is known. */
  before: string | null;
}

export interface VersionAnswers {
  /** Those that spoke in the window (the last hour by default; within a minute at its start), the newest first. */
  versions(tenant: string, request: ResourcesRequest): Promise<Answer<ComponentVersion[]>>;
}

export function createVersionAnswers(needs: QueryNeeds): VersionAnswers {
  return {
    async versions(tenant, request) {
      const reading = await beginReading(needs);
      const window = parseWindow(request, reading.now);
      const { resources, truncated } = await resourcesUntil(needs, tenant, request, window);
      return reading.answer(versionsOf(resources, window), { truncated });
    },
  };
}

/**
 * Of each component what took the place of another version within the window: one attribute each time, `service.version` where it says so.
 * A component that was not there before has not changed, and one that runs in more than four versions at once is its users' to change.
 * @param versions the newest first
 * @param start nanoseconds
 */
export function deploymentsOf(versions: readonly ComponentVersion[], start: bigint): ComponentVersion[] {
  const side = Map.groupBy(versions, nameOf);
  const fresh = versions.filter(
    (version) =>
      version.before !== null &&
      parseNanos(version.first_seen)! >= start &&
      side.get(nameOf(version))!.length <= AT_ONCE_MAX,
  );
  const isSaid = ({ attribute }: ComponentVersion) => Number(attribute === 'service.version');
  return fresh.filter(
    (one) =>
      !fresh.some(
        (other) =>
          other !== one &&
          other.component_type === one.component_type &&
          other.component_id === one.component_id &&
          other.first_seen === one.first_seen &&
          (isSaid(other) - isSaid(one) || (other.attribute < one.attribute ? 1 : -1)) > 0,
      ),
  );
}

/** Whether an attribute says which version of a component spoke. */
export function isVersion(key: string): boolean {
  return VERSION.test(key) && !NO_VERSION.test(key);
}

const VERSION = /^(?:service\.version|deployment\.id|container\.image\.tags|vcs\..+|.+\.version)$/;
/** Of the library, and of what somebody else runs it in. */
const NO_VERSION = /^(?:telemetry|process|os|browser|user_agent|device)\./;
// Of a component that runs in more at once, as an app on its users' phones, one that is heard for the first time need not be new.
const AT_ONCE_MAX = 4;
const VERSION_CHARS_MAX = 100;

interface Spoken extends Pick<ComponentVersion, 'component_type' | 'component_id' | 'attribute' | 'version'> {
  first: bigint;
  last: bigint;
  nodes: Set<string>;
}

/** Of any order. */
function versionsOf(resources: readonly Resource[], window: Window): ComponentVersion[] {
  const versions = new Map<string, Map<string, Spoken>>();
  for (const { component_type, component_id, attributes, first_time, last_time } of resources) {
    const node = nodeOf(attributes);
    for (const [attribute, value] of Object.entries(attributes)) {
      const version = isVersion(attribute) ? versionOf(value) : null;
      if (version === null) continue;
      const name = nameOf({ component_type, component_id, attribute });
      const known = versions.get(name) ?? new Map<string, Spoken>();
      versions.set(name, known);
      const spoken = known.get(version) ?? {
        ...{ component_type, component_id, attribute, version },
        ...{ first: first_time, last: last_time, nodes: new Set<string>() },
      };
      known.set(version, spoken);
      if (first_time < spoken.first) spoken.first = first_time;
      if (last_time > spoken.last) spoken.last = last_time;
      if (node !== null) spoken.nodes.add(node);
    }
  }
  return [...versions.values()]
    .flatMap((known) => {
      const ordered = [...known.values()].sort((a, b) => compare(a.first, b.first) || compare(a.version, b.version));
      return ordered.map((spoken, i) => ({ spoken, before: ordered[i - 1]?.version ?? null }));
    })
    .filter(({ spoken }) => spokeIn(window, spoken))
    .sort(
      (a, b) =>
        compare(b.spoken.first, a.spoken.first) ||
        compare(a.spoken.component_id, b.spoken.component_id) ||
        compare(a.spoken.component_type, b.spoken.component_type) ||
        compare(a.spoken.attribute, b.spoken.attribute) ||
        compare(a.spoken.version, b.spoken.version),
    )
    .map(({ spoken: { first, last, nodes, ...named }, before }) => ({
      ...{ ...named, first_seen: formatNanos(first), last_seen: formatNanos(last) },
      ...{ nodes: nodes.size, before },
    }));
}

function nameOf(one: Pick<ComponentVersion, 'component_type' | 'component_id' | 'attribute'>): string {
  return JSON.stringify([one.component_type, one.component_id, one.attribute]);
}

/** Tags of an image are a list. */
function versionOf(value: Json): string | null {
  const text = Array.isArray(value) && value.every((each) => typeof each === 'string') ? value.join(', ') : value;
  const said = typeof text === 'number' ? String(text) : text;
  return typeof said === 'string' && said !== '' && said.length <= VERSION_CHARS_MAX ? said : null;
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
