/** What was deployed, in words. */
import type { ComponentRef } from '../../model/block.ts';
import { formatNanos, NANOS_PER_HOUR, parseNanos } from '../../model/time.ts';
import { nameOf } from '../budget.ts';
import type { ChainLink } from '../insights.ts';
import { type ComponentVersion, deploymentsOf } from '../versions.ts';
import type { Facts } from './facts.ts';
import { clockTime, componentName } from './say.ts';

/**
 * What took the place of another version between two times, RFC 3339, the newest first; nothing where there are more resources than can be
 * read, as any version may then have been there before.
 * @param ref of one component alone
 */
export async function deployedIn(
  facts: Facts,
  tenant: string,
  { start, end }: { start: string; end: string },
  ref?: ComponentRef,
): Promise<Deployed> {
  const which = ref === undefined ? {} : { component_type: ref.type, component_id: ref.id };
  const { data, meta } = await facts.versions(tenant, { ...which, start, end });
  if (meta.truncated) return { deployed: [], coverage: ['too many resources to tell which versions are new'] };
  return { deployed: deploymentsOf(data, parseNanos(start)!), coverage: [] };
}

/** What the component of a failure had become in the hour before it, in words that stand behind others; empty where nothing. */
export async function changedBefore(
  facts: Facts,
  tenant: string,
  { component_type: type, component_id: id, timestamp }: ChainLink,
  asOf: string,
): Promise<string> {
  const time = parseNanos(timestamp)!;
  const start = formatNanos(time > NANOS_PER_HOUR ? time - NANOS_PER_HOUR : 0n);
  const {
    deployed: [newest],
  } = await deployedIn(facts, tenant, { start, end: timestamp }, { type, id });
  return newest === undefined ? '' : ` Changed within the hour before: ${deploymentWords(newest, asOf)}.`;
}

/** A sentence; null where nothing was. */
export function deployedWords(deployed: readonly ComponentVersion[], asOf: string): string | null {
  const some = deployed.slice(0, TOLD_MAX).map((each) => deploymentWords(each, asOf));
  const more = deployed.length - some.length;
  return some.length === 0 ? null : `New: ${some.join('; ')}${more === 0 ? '' : `; and ${more} more`}.`;
}

/** `orders version 2.1.0 since 14:02:11.000Z, before it 2.0.3`. */
export function deploymentWords(deployed: ComponentVersion, asOf: string): string {
  const { component_type, component_id, attribute, version, first_seen, before } = deployed;
  const what = attribute === 'service.version' ? 'version' : nameOf(attribute);
  const since = `${componentName(component_type, component_id)} ${what} ${nameOf(version)} since ${clockTime(first_seen, asOf)}`;
  return before === null ? since : `${since}, before it ${nameOf(before)}`;
}

const TOLD_MAX = 3;

export interface Deployed {
  deployed: readonly ComponentVersion[];
  /** What it could not see, in words. */
  coverage: readonly string[];
}
