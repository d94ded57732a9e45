import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiClient } from '../../../test/support/api-client.ts';
import { type QuerySystem, startQuerySystem } from '../../../test/support/query-system.ts';
import type { Asking } from '../reply.ts';
import { compareVersions } from './versions.ts';

let system: QuerySystem;
beforeAll(async () => {
  system = await startQuerySystem();
  const api = await createApiClient(system.url);
  const event = (component_id: string, data: object, level: string, i: number) => ({
    event_type: level === 'ERROR' ? 'error' : 'log',
    component_type: 'service',
    component_id,
    correlation_id: `${component_id}-${JSON.stringify(data)}-${i}`,
    level,
    message: level === 'ERROR' ? 'no stock' : 'order placed',
    data,
  });
  const events = Array.from({ length: 20 }, (_, i) => [
    event('orders', { 'service.version': '1.4.0' }, 'INFO', i),
    event('orders', { 'service.version': '1.5.2' }, i < 12 ? 'ERROR' : 'INFO', i),
    event('mailer', { 'app.version': 'v7' }, 'INFO', i),
  ]).flat();
  expect((await api.post('/events/batch', { events })).status).toBe(201);
});
afterAll(() => system?.stop());

const compare = async (versions: string[], component?: string) => {
  const components = component === undefined ? [] : [{ type: 'service', id: component }];
  const understood = { components, versions, range: {}, words: [] };
  const reply = await compareVersions({ facts: system.service, tenant: 'default', understood } as unknown as Asking);
  return { ...reply, words: reply.sentences.map(({ text }) => text).join(' ') };
};

describe('two versions side by side', () => {
  it('differ in what one of them does: said as they were asked for', async () => {
    const { words, found } = await compare(['1.4', '1.5'], 'orders');
    expect(found).toBeUndefined();
    expect(words).toMatch(/1\.4\.0.*1\.5\.2/s);
    expect(words).toMatch(/no stock|60%/);
  });

  it('the parts of a number are whole: 1.4 is 1.4.0 and not 1.40, and a v says nothing', async () => {
    expect((await compare(['v1.4', '1.5.2'], 'orders')).found).toBeUndefined();
    expect((await compare(['1', '1.5'], 'orders')).found).toBeUndefined();
    const { found, words } = await compare(['1.40', '1.5'], 'orders');
    expect(found).toBe(false);
    expect(words).toMatch(/No version 1\.40 of orders .* Heard of are 1\.4\.0, 1\.5\.2/);
  });

  it("an application's own attribute counts, and versions of another component do not", async () => {
    expect((await compare(['7', 'v7'], 'mailer')).found).toBeUndefined();
    const { found, words } = await compare(['1.4', '1.5'], 'mailer');
    expect(found).toBe(false);
    expect(words).toContain('No version 1.4 or 1.5 of mailer');
  });

  it('of a component that nobody heard of nothing is made up', async () => {
    expect((await compare(['1', '2'], 'ghost')).words).toMatch(/ghost/);
  });
});
