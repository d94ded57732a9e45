/** Debug sessions. */
import { describe, expect, test } from 'vitest';
import { api, fresh, ids, post, system } from './shared.ts';

describe('sessions', () => {
  test('count what has come in since, until they are closed', async () => {
    const component_id = fresh('agent');
    const { status, body } = await api.post('/sessions', {
      session_name: 'look',
      filters: { component_type: 'agent', component_id },
    });
    expect(status).toBe(201);
    expect(body.data).toMatchObject({ session_name: 'look', active: true, event_count: 0, insight_count: 0 });
    await post({ component_id });
    await post({ component_id: 'other' });
    const found = async () => (await api.get(`/sessions/${body.data.id}`)).body.data;
    expect(await found()).toMatchObject({ event_count: 1 });
    expect((await api.get('/sessions')).body.data).toContainEqual(await found());
    const closed = await api.put(`/sessions/${body.data.id}/close`);
    expect(closed.body.data).toMatchObject({ active: false, closed_at: expect.any(String), event_count: 1 });
    await post({ component_id });
    expect(await found()).toMatchObject({ event_count: 1 });
    expect((await api.put(`/sessions/${body.data.id}/close`)).body.data.closed_at).toBe(closed.body.data.closed_at);
    expect(ids(await api.get('/sessions?active=false'))).toContain(body.data.id);
    expect(ids(await api.get('/sessions?active=true'))).not.toContain(body.data.id);
  });

  test('keep what is given with them', async () => {
    const { status, text } = await fetch(`${system.url}/api/debug/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"session_name":"x","scope":{"ticket":9007199254740993,"tags":["a"]}}',
    }).then(async (response) => ({ status: response.status, text: await response.text() }));
    expect(status).toBe(201);
    expect(text).toContain('"scope":{"ticket":"9007199254740993","tags":["a"]}');
  });

  test('may be about any filter', async () => {
    const correlation_id = fresh('c');
    const { body } = await api.post('/sessions', {
      session_name: 'errors',
      filters: { correlation_id, min_level: 'ERROR' },
    });
    await post({ correlation_id, level: 'ERROR' });
    await post({ correlation_id, level: 'INFO' });
    const [session] = (await api.get('/sessions?limit=1')).body.data;
    expect(session).toMatchObject({ id: body.data.id, event_count: 1, counts_capped: false });
  });

  test('that do not exist are not found', async () => {
    const missing = { status: 404, body: { code: 'SESSION_NOT_FOUND' } };
    expect(await api.put('/sessions/nothing/close')).toMatchObject(missing);
    expect(await api.get('/sessions/nothing')).toMatchObject(missing);
  });
});
