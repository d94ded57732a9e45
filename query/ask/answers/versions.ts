/**
 * Two versions side by side, those that are named or a version and the one before it, by the attribute that says which one spoke:
 * `service.version`, or one of the application's own. Those that a resource names are all known, with their times; those that only records
 * name, from a page of them.
 */
import type { DebugEvent } from '../../../model/event.ts';
import { formatNanos, NANOS_PER_HOUR, parseNanos } from '../../../model/time.ts';
import { clockTime, refName } from '../../agent/say.ts';
import { deploymentWords } from '../../agent/versions.ts';
import { nameOf } from '../../budget.ts';
import { type ComponentVersion, isVersion } from '../../versions.ts';
import { type Asking, heldTime, nothingOf, type Reply, say, whichOf } from '../reply.ts';
import { sideBySide } from './sides.ts';

export async function compareVersions(asking: Asking): Promise<Reply> {
  const { facts, tenant, understood } = asking;
  const { components, versions } = understood;
  const [ref] = components;
  const held = await heldTime(asking, ref);
  if (held.empty !== null) return nothingOf(ref === undefined ? 'anything' : refName(ref), held);
  const which = ref === undefined ? {} : whichOf(ref);
  const [page, lately] = await Promise.all([
    facts.events(tenant, { ...which, ...held.range, limit: EVENTS_MAX }),
    facts.versions(tenant, { ...which, ...held.range }),
  ]);
  const { meta } = page;
  let range = held.range;
  let known: readonly ComponentVersion[] = lately.data;
  let { attribute, heard } = heardOf(page.data, known, versions);
  let missing = missingOf(versions, heard);
  const earlier = missing.length === 0 ? [] : await earlierOf(asking, missing);
  const isAsked = understood.range.time_range != null || understood.range.start != null;
  if (!isAsked && earlier.length > 0 && earlier.length === missing.length) {
    // From when the one that is gone still spoke.
    const gone = earlier.map(({ last_seen }) => parseNanos(last_seen)!).reduce((a, b) => (a < b ? a : b));
    range = {
      start: formatNanos(gone > NANOS_PER_HOUR ? gone - NANOS_PER_HOUR : 0n),
      end: formatNanos(understood.now),
    };
    known = [...known, ...earlier];
    ({ attribute, heard } = heardOf(page.data, known, versions));
    missing = missingOf(versions, heard);
  }
  const said = versions.map((version) => heard.find((each) => isSame(each, version)) ?? null);
  const meant = versions.length > 1 ? said : besideIts(said[0] ?? heard[0], heard);
  if (missing.length > 0 || meant.length < 2)
    return {
      sentences: [
        say(
          `${missing.length > 0 ? `No version ${missing.join(' or ')}` : 'No other version'} ${ref === undefined ? 'is known' : `of ${refName(ref)} is known`} ${held.words}.${heard.length === 0 ? '' : ` Heard of ${heard.length === 1 ? 'is' : 'are'} ${heard.toSorted().slice(0, VERSIONS_MAX).map(nameOf).join(', ')}.`}`,
        ),
        ...earlier.map((each) => say(`${spokeWords(each, meta.as_of)}.`)),
      ],
      confidence: 0.9,
      ...(missing.length > 0 && { found: false as const }),
      next: [{ tool: 'compare', arguments: {} }],
      metas: [meta],
    };
  const values = { attribute: attribute!, of: meant.map((each) => each!) };
  const labels = values.of.map((each) => (ref === undefined ? each : `${refName(ref)} ${each}`));
  const reply = await sideBySide(asking, { values, ...which, ...range }, labels);
  const since = known
    .filter((each) => each.attribute === attribute && values.of.includes(each.version) && each.before !== null)
    .sort((a, b) => (a.first_seen < b.first_seen ? 1 : -1))[0];
  const told = [
    ...(range === held.range ? [] : earlier.map((each) => spokeWords(each, meta.as_of))),
    ...(since === undefined ? [] : [deploymentWords(since, meta.as_of)]),
  ];
  return { ...reply, sentences: [...reply.sentences, ...told.map((words) => say(`${words}.`))] };
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

/** The attribute that knows most of the versions asked for, else the one of which there are several; its versions, the newest first. */
function heardOf(
  events: readonly DebugEvent[],
  known: readonly ComponentVersion[],
  versions: readonly string[],
): { attribute: string | undefined; heard: string[] } {
  const spoken = new Map<string, Set<string>>();
  const hear = (attribute: string, version: string) =>
    spoken.set(attribute, (spoken.get(attribute) ?? new Set()).add(version));
  for (const { attribute, version } of known) hear(attribute, version);
  for (const { data, resource } of events)
    for (const [key, value] of [...Object.entries(resource.attributes), ...Object.entries(data)])
      if (typeof value === 'string' && isVersion(key)) hear(key, value);
  const found = (attribute: string) => versions.length - missingOf(versions, [...spoken.get(attribute)!]).length;
  const several = [...spoken.keys()].filter((key) => versions.length > 1 || spoken.get(key)!.size > 1);
  const attribute = (several.length > 0 ? several : [...spoken.keys()]).sort((a, b) => found(b) - found(a))[0];
  return { attribute, heard: attribute === undefined ? [] : [...spoken.get(attribute)!] };
}

function missingOf(versions: readonly string[], heard: readonly string[]): string[] {
  return versions.filter((version) => !heard.some((each) => isSame(each, version)));
}

/** Those of all times that are kept. */
async function earlierOf(
  { facts, tenant, understood }: Asking,
  missing: readonly string[],
): Promise<ComponentVersion[]> {
  const [ref] = understood.components;
  const { data } = await facts.versions(tenant, { ...(ref !== undefined && whichOf(ref)), start: formatNanos(0n) });
  return missing.flatMap((version) => data.find((each) => isSame(each.version, version)) ?? []);
}

function spokeWords({ version, first_seen, last_seen }: ComponentVersion, asOf: string): string {
  return `${nameOf(version)} spoke from ${clockTime(first_seen, asOf)} to ${clockTime(last_seen, asOf)}`;
}

/** "v1.2" is 1.2, and 1.2.0 and 1.2.7 where nobody said more. */
function isSame(version: string, said: string): boolean {
  const [a, b] = [version, said].map((each) => each.replace(/^v/i, '')) as [string, string];
  return a === b || a.startsWith(`${b}.`) || a.startsWith(`${b}-`);
}

// One page of the store, for what only records name.
const EVENTS_MAX = 1000;
const VERSIONS_MAX = 10;
