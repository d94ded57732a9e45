/** Questions in words, and root causes. */
import { describe, expect, test } from 'vitest';
import { ago, api, fresh, post } from './shared.ts';

describe('questions', () => {
  test('for who calls whom', async () => {
    const answer = await api.get('/topology?time_range=1h');
    expect(answer).toMatchObject({
      status: 200,
      body: { data: { nodes: expect.any(Array), edges: expect.any(Array) } },
    });
    expect(await api.get('/topology?time_range=soon')).toMatchObject({ status: 400 });
  });

  test('in words, within a budget', async () => {
    const component_id = fresh('agent');
    for (let i = 0; i < 20; i++) await post({ component_id, level: 'ERROR', event_type: 'error', message: 'down' });
    const answer = await api.post('/ai/query', { question: `How is agent ${component_id}?`, budget_tokens: 800 });
    expect(answer.status).toBe(200);
    expect(answer.body.data).toMatchObject({ answer: expect.stringContaining(component_id) });
    expect(answer.body.data.answer).not.toMatch(/is healthy/i);
    expect(await api.post('/ai/query', {})).toMatchObject({ status: 422, body: { errors: [{ field: 'question' }] } });
  });

  test('for the root cause of a window', async () => {
    const component_id = fresh('service');
    const told = { component_type: 'service', component_id };
    const trace = () => Number(fresh('').slice(1)).toString(16).padStart(32, '7');
    for (let i = 0; i < 20; i++) {
      const trace_id = trace();
      await post({ ...told, trace_id, message: 'reserved', timestamp: ago(600 - i) });
    }
    for (let i = 0; i < 20; i++) {
      const trace_id = trace();
      await post({ ...told, trace_id, message: 'no connection', level: 'ERROR', timestamp: ago(100 - i) });
    }
    const window = { start: ago(120), end: ago(60) };
    const answer = await api.post('/analytics/root-cause', { window, baseline: { start: ago(700), end: ago(400) } });
    expect(answer.status).toBe(200);
    expect(answer.body.data.ranked[0]).toMatchObject({ component_id });
    const backwards = { window: { start: window.end, end: window.start } };
    expect(await api.post('/analytics/root-cause', backwards)).toMatchObject({ status: 400 });
    expect(await api.post('/analytics/root-cause', {})).toMatchObject({ status: 422 });
  });
});
