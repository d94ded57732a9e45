/** Snapshots: what they changed, and whether replicas agree. */
import { describe, expect, test } from 'vitest';
import { ago, api, fresh } from './shared.ts';

describe('state', () => {
  const state = (component_id: string, state_data: object, more: object = {}) =>
    api.post('/state', { component_type: 'agent', component_id, operation_id: 'op', state_data, ...more });

  test('a second snapshot says what it changed', async () => {
    const id = fresh('agent');
    const first = await state(id, { progress: 0.5, name: 'x' });
    expect(first).toMatchObject({ status: 201, body: { data: { diff_from_previous: null } } });
    const second = await state(id, { progress: 0.8, name: 'x' });
    expect(second.body.data.diff_from_previous).toEqual({ progress: { from: 0.5, to: 0.8 } });
    const latest = await api.get(`/state/agent/${id}`);
    expect(latest.body.data).toMatchObject({
      id: second.body.data.snapshot_id,
      state_data: { progress: 0.8, name: 'x' },
      diff_from_previous: { progress: { from: 0.5, to: 0.8 } },
      snapshot_type: 'full',
      operation_id: 'op',
    });
    expect((await api.get(`/events/${second.body.data.snapshot_id}`)).body.data).toMatchObject({
      event_type: 'state_snapshot',
    });
  });

  test('is found by operation, checkpoint and time', async () => {
    const id = fresh('agent');
    await state(id, { n: 1 }, { operation_id: 'op-a', checkpoint_name: 'before', timestamp: ago(60) });
    await state(id, { n: 2 }, { operation_id: 'op-a', checkpoint_name: 'after', timestamp: ago(40) });
    await state(id, { n: 3 }, { operation_id: 'op-b', timestamp: ago(20) });
    const n = async (query: string) => (await api.get(`/state/agent/${id}${query}`)).body.data?.state_data.n;
    expect(await n('')).toBe(3);
    expect(await n('?operation_id=op-a')).toBe(2);
    expect(await n('?operation_id=op-a&checkpoint_name=before')).toBe(1);
    expect(await n(`?at=${ago(30)}`)).toBe(2);
    expect(await n(`?operation_id=op-a&at=${ago(50)}`)).toBe(1);
    for (const query of ['?operation_id=op-z', '?checkpoint_name=never', `?at=${ago(90)}`]) {
      expect(await api.get(`/state/agent/${id}${query}`)).toMatchObject({
        status: 404,
        body: { code: 'SNAPSHOT_NOT_FOUND' },
      });
    }
  });

  test('is compared within its own operation', async () => {
    const id = fresh('agent');
    await state(id, { n: 1 }, { operation_id: 'op-a' });
    expect((await state(id, { n: 2 }, { operation_id: 'op-b' })).body.data.diff_from_previous).toBeNull();
  });
});

describe('consistency', () => {
  test('names the key that differs and both values', async () => {
    const operation_id = fresh('op');
    for (const [component_id, qty] of [
      ['node-a', 7],
      ['node-b', 7],
      ['node-c', 8],
    ]) {
      await api.post('/state', {
        component_type: 'service',
        component_id,
        operation_id,
        state_data: { qty, ok: true },
      });
    }
    const { status, body } = await api.post('/analytics/consistency', { operation_id });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      insight_type: 'consistency',
      severity: expect.stringMatching(/warning|critical/),
    });
    const said = JSON.stringify(body.data);
    for (const word of ['qty', 'node-c', '7', '8']) expect(said).toContain(word);
  });

  test('of nothing finds no snapshot', async () => {
    expect(await api.post('/analytics/consistency', { operation_id: 'nothing' })).toMatchObject({
      status: 404,
      body: { code: 'SNAPSHOT_NOT_FOUND' },
    });
  });
});

test('one key of a state has a history, by node, newest first', async () => {
  const post = (state_data: object, snapshot_type: string) =>
    api.post('/state', {
      component_type: 'agent',
      component_id: 'keeper',
      operation_id: 'o',
      state_data,
      snapshot_type,
    });
  await post({ plan: { step: 1 }, note: 'x' }, 'full');
  await post({ note: null }, 'incremental');
  const second = await post({ plan: { step: 2 } }, 'incremental');
  expect(second.body.data.diff_from_previous).toEqual({ 'plan.step': { from: 1, to: 2 } });
  const { body } = await api.get('/state/agent/keeper');
  expect(body.data).toMatchObject({ state_data: { plan: { step: 2 } }, complete: true, snapshot_type: 'incremental' });
  expect(body.data.assembled_from).toHaveLength(3);
  const history = await api.get('/state/agent/keeper/history?key=plan.step&time_range=1h');
  expect(history.body.data).toMatchObject([{ value: 2, from: 1 }, { value: 1 }]);
  expect((await api.get('/state/agent/keeper/history?key=note')).body.data.map(Object.keys)).toMatchObject([
    expect.not.arrayContaining(['value']),
    expect.arrayContaining(['value']),
  ]);
  expect(await api.get('/state/agent/keeper/history?key=a..b')).toMatchObject({ status: 400 });
  expect(await api.get('/state/agent/nobody/history?key=a')).toMatchObject({ status: 404 });
});
