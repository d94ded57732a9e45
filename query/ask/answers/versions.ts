/** Two versions side by side, those that are named or a version and the one before it, by the attribute that says which one spoke: `service.version`, or one of the application's own. */
import type { DebugEvent } from '../../../model/event.ts';
import { refName } from '../../agent/say.ts';
import { nameOf } from '../../budget.ts';
import { isVersion } from '../../differences.ts';
import { type Asking, heldTime, nothingOf, type Reply, say, whichOf } from '../reply.ts';
import { sideBySide } from './sides.ts';

export async function compareVersions(asking: Asking): Promise<Reply> {
  const { facts, tenant, understood } = asking;
  const { components, versions } = understood;
  const [ref] = components;
  const held = await heldTime(asking, ref);
  if (held.empty !== null) return nothingOf(ref === undefined ? 'anything' : refName(ref), held);
  const which = ref === undefined ? {} : whichOf(ref);
  const { data, meta } = await facts.events(tenant, { ...which, ...held.range, limit: EVENTS_MAX });
  const spoken = versionsOf(data);
  const several = [...spoken.keys()].filter((key) => versions.length > 1 || spoken.get(key)!.size > 1);
  const attribute = (several.length > 0 ? several : [...spoken.keys()]).sort(
    (a, b) => found(spoken.get(b)!) - found(spoken.get(a)!),
  )[0];
  // The newest first.
  const heard = attribute === undefined ? [] : [...spoken.get(attribute)!];
  const said = versions.map((version) => heard.find((each) => isSame(each, version)) ?? null);
  const missing = versions.filter((_, i) => said[i] === null);
  const meant = versions.length > 1 ? said : besideIts(said[0] ?? heard[0], heard);
  if (missing.length > 0 || meant.length < 2)
    return {
      sentences: [
        say(
          `${missing.length > 0 ? `No version ${missing.join(' or ')}` : 'No other version'} ${ref === undefined ? 'is known' : `of ${refName(ref)} is known`} ${held.words}.${heard.length === 0 ? '' : ` Heard of ${heard.length === 1 ? 'is' : 'are'} ${heard.toSorted().slice(0, VERSIONS_MAX).map(nameOf).join(', ')}.`}`,
        ),
      ],
      confidence: 0.9,
      ...(missing.length > 0 && { found: false as const }),
      next: [{ tool: 'compare', arguments: {} }],
      metas: [meta],
    };
  const values = { attribute: attribute!, of: meant.map((each) => each!) };
  const labels = values.of.map((each) => (ref === undefined ? each : `${refName(ref)} ${each}`));
  return sideBySide(asking, { values, ...which, ...held.range }, labels);

  function found(values: ReadonlySet<string>): number {
    return versions.filter((said) => [...values].some((each) => isSame(each, said))).length;
  }
}

/** A version is held against the one before it, the first one against the next. */
function besideIts(version: string | undefined, heard: readonly string[]): string[] {
  const at = heard.indexOf(version ?? '');
  const other = heard[at + 1] ?? heard[at - 1];
  return version === undefined || other === undefined
    ? []
    : at + 1 < heard.length
      ? [other, version]
      : [version, other];
}

function versionsOf(events: readonly DebugEvent[]): Map<string, Set<string>> {
  const byAttribute = new Map<string, Set<string>>();
  for (const { data, resource } of events)
    for (const [key, value] of [...Object.entries(resource.attributes), ...Object.entries(data)])
      if (typeof value === 'string' && isVersion(key))
        byAttribute.set(key, (byAttribute.get(key) ?? new Set()).add(value));
  return byAttribute;
}

/** "v1.2" is 1.2, and 1.2.0 and 1.2.7 where nobody said more. */
function isSame(version: string, said: string): boolean {
  const [a, b] = [version, said].map((each) => each.replace(/^v/i, '')) as [string, string];
  return a === b || a.startsWith(`${b}.`) || a.startsWith(`${b}-`);
}

// One page of the store: two versions that are compared are mostly both of the last hour.
const EVENTS_MAX = 1000;
const VERSIONS_MAX = 10;
