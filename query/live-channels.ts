/** Channels of the live feed, and which readers a record or an insight goes to. */

export type Channel = { kind: 'all' } | { kind: 'component'; id: string } | { kind: 'correlation'; id: string };

/** `debug:all`, `debug:correlation:<id>`, `debug:<component_id>`; null for what is no channel. */
export function parseChannel(name: string): Channel | null {
  if (!name.startsWith(PREFIX) || name.length > CHANNEL_CHARS_MAX) return null;
  const rest = name.slice(PREFIX.length);
  if (rest === 'all') return { kind: 'all' };
  const id = rest.startsWith(CORRELATION) ? rest.slice(CORRELATION.length) : rest;
  if (id === '') return null;
  return { kind: id === rest ? 'component' : 'correlation', id };
}

const PREFIX = 'debug:';
const CORRELATION = 'correlation:';
const CHANNEL_CHARS_MAX = 512;

interface Placed {
  readonly tenant: string;
  readonly channel: Channel;
}

/** Readers by channel, so that a record is held against those that may want it, not against all. */
export class ChannelIndex<R extends Placed> {
  readonly #tenants = new Map<string, TenantChannels<R>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(reader: R): void {
    let channels = this.#tenants.get(reader.tenant);
    if (channels === undefined) {
      channels = { all: new Set(), component: new Map(), correlation: new Map() };
      this.#tenants.set(reader.tenant, channels);
    }
    setOf(channels, reader.channel).add(reader);
    this.#size++;
  }

  delete(reader: R): void {
    const channels = this.#tenants.get(reader.tenant);
    if (channels === undefined || !setOf(channels, reader.channel).delete(reader)) return;
    this.#size--;
    const { channel } = reader;
    if (channel.kind !== 'all' && channels[channel.kind].get(channel.id)?.size === 0)
      channels[channel.kind].delete(channel.id);
    if (channels.all.size + channels.component.size + channels.correlation.size === 0)
      this.#tenants.delete(reader.tenant);
  }

  clear(): void {
    this.#tenants.clear();
    this.#size = 0;
  }

  *all(): Generator<R> {
    for (const { all, component, correlation } of this.#tenants.values()) {
      yield* all;
      for (const readers of component.values()) yield* readers;
      for (const readers of correlation.values()) yield* readers;
    }
  }

  /** Who listens to a tenant's data; undefined: nobody. */
  channels(tenant: string): TenantChannels<R> | undefined {
    return this.#tenants.get(tenant);
  }
}

export interface TenantChannels<R> {
  readonly all: Set<R>;
  readonly component: Map<string, Set<R>>;
  readonly correlation: Map<string, Set<R>>;
}

function setOf<R>(channels: TenantChannels<R>, channel: Channel): Set<R> {
  if (channel.kind === 'all') return channels.all;
  let readers = channels[channel.kind].get(channel.id);
  if (readers === undefined) {
    readers = new Set();
    channels[channel.kind].set(channel.id, readers);
  }
  return readers;
}
