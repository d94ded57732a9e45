/**
 * Log templates: the constant part of a message, with a typed placeholder for each value in it, so that
 * `user 17 logged in from 10.0.0.3` and `user 4 logged in from 10.9.1.1` are one pattern, `user <num> logged in from <ip>`.
 *
 * Two steps. What looks like a value is masked (`masking.ts`), which needs nothing but the message. What varies but looks like a word
 * is found by comparing what was seen (`template-merging.ts`); when that makes templates one, the ids given before stay
 * right: a row per merged template tells what it is part of now (`model/template.ts`). A process that starts anew learns again
 * and meets the same ids, as they come from the text alone.
 */
import { LRUCache } from 'lru-cache';
import type { Template } from '../model/rollup.ts';
import { templateId } from '../model/template.ts';
import { maskValues, simplify } from './masking.ts';
import { createTemplateMerger, mergedTemplate } from './template-merging.ts';

export { templateId as patternId } from '../model/template.ts';
export { templateText } from './masking.ts';

export interface TemplateMiner {
  /** The template of a message by all that was seen so far. Total: any text has one, also the empty one. */
  templateOf(message: string): Template;
  /** Rows of the templates that have become part of others since this was last asked. */
  takeMerged(): Template[];
}

/** @param options.cacheMax messages whose template is remembered; the longest unused is forgotten first */
export function createTemplateMiner(options: { cacheMax?: number } = {}): TemplateMiner {
  const byMessage = new LRUCache<string, Template>({ max: options.cacheMax ?? 8192 });
  // Messages share a few hundred texts; what is left to do for a text costs some five times as much as masking a message.
  const byMasked = new LRUCache<string, Template>({ max: 8192 });
  const merger = createTemplateMerger();
  let merged: Template[] = [];

  function templateOf(message: string): Template {
    const known = byMessage.get(message);
    if (known !== undefined) return known;
    const masked = maskValues(message);
    let template = byMasked.get(masked);
    if (template === undefined) {
      const text = merger.add(simplify(masked));
      template = { id: templateId(text), text };
      noteMerged();
      byMasked.set(masked, template);
    }
    if (message.length <= CACHED_LENGTH_MAX) byMessage.set(message, template);
    return template;
  }

  /** What was remembered of messages may be of yesterday then. */
  function noteMerged(): void {
    const rows = merger.takeMerged().map(mergedTemplate);
    if (rows.length === 0) return;
    merged = [...merged, ...rows].slice(-MERGED_MAX);
    byMessage.clear();
    byMasked.clear();
  }

  return {
    templateOf,
    takeMerged() {
      const taken = merged;
      merged = [];
      return taken;
    },
  };
}

/** A miner for each tenant: what one logs must not shape what another reads. */
export interface TenantTemplates {
  templateOf(message: string, tenant: string): Template;
  takeMerged(tenant: string): Template[];
}

/** @param options.tenantsMax tenants whose templates are remembered; the longest unused is forgotten first, and learned again */
export function createTenantTemplates(options: { tenantsMax?: number } = {}): TenantTemplates {
  const miners = new LRUCache<string, TemplateMiner>({ max: options.tenantsMax ?? 32 });
  const minerOf = (tenant: string): TemplateMiner => {
    let miner = miners.get(tenant);
    if (miner === undefined) {
      miner = createTemplateMiner();
      miners.set(tenant, miner);
    }
    return miner;
  };
  return {
    templateOf: (message, tenant) => minerOf(tenant).templateOf(message),
    takeMerged: (tenant) => minerOf(tenant).takeMerged(),
  };
}

// Bounds the cache to a few megabytes; longer messages rarely come twice.
const CACHED_LENGTH_MAX = 512;
const MERGED_MAX = 10_000;
