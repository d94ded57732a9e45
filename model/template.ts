/**
 * What makes two template texts one template. Whoever mines templates, keeps them or answers with them must agree on it: an id that
 * was given to a record stays with it, and what it stands for may become more general later.
 */
import { hashText } from './hash.ts';
import { hex64 } from './ids.ts';
import type { Template } from './rollup.ts';

/** 16 hex of the hash of the shape of the text: every process gives a text the same id. */
export function templateId(text: string): string {
  return hex64(hashText(shapeOf(text)));
}

/** The text with all placeholders alike: whether a value was written as hex or as a number makes no other template. */
export function shapeOf(text: string): string {
  return text.includes('<') ? text.replace(PLACEHOLDER, '<*>') : text;
}

/**
 * What templates stand for now. The text of one that was merged into a more general one is that one's text, so its id leads on.
 * @param read rows of `ids`; unknown ones are left out
 * @returns by the ids asked for; unknown ones are left out
 */
export async function currentTemplates(
  ids: readonly string[],
  read: (ids: readonly string[]) => Promise<readonly Template[]>,
): Promise<Map<string, Template>> {
  const current = new Map<string, Template>();
  let at = new Map(ids.map((id) => [id, [id]]));
  for (let step = 0; at.size > 0 && step < STEPS_MAX; step++) {
    const next = new Map<string, string[]>();
    for (const { id, text } of await read([...at.keys()])) {
      const own = templateId(text);
      for (const asked of at.get(id)!) current.set(asked, { id: own, text });
      if (own !== id) next.set(own, [...(next.get(own) ?? []), ...at.get(id)!]);
    }
    at = next;
  }
  return current;
}

/**
 * The ids that records of one template may have: its own, and those that were given before it was merged into what it is now.
 * @param id any of them
 * @param all rows of all templates
 */
export async function idsOfTemplate(id: string, all: readonly Template[]): Promise<Set<string>> {
  const rows = new Map(all.map((row) => [row.id, row]));
  const read = async (ids: readonly string[]) => ids.flatMap((one) => rows.get(one) ?? []);
  const current = await currentTemplates([...rows.keys()], read);
  const now = current.get(id)?.id ?? id;
  const same = [...current].filter(([, template]) => template.id === now).map(([one]) => one);
  return new Set([id, now, ...same]);
}

const PLACEHOLDER = /<(?:\w+|\*)>/g;
// Each merge makes another position general; more than a few in one text are rare.
const STEPS_MAX = 16;
