/** Insights: listed, explained, resolved. */
import { describe, expect, test } from 'vitest';
import { ago, api, fresh, ids, post, putInsight } from './shared.ts';

describe('insights', () => {
  test('are listed by what is asked, and paged', async () => {
    const correlation_id = fresh('c');
    const first = await putInsight({ correlation_id, severity: 'critical', insight_type: 'error', last_seen: ago(30) });
    const second = await putInsight({ correlation_id, severity: 'warning', insight_type: 'flow', last_seen: ago(20) });
    const third = await putInsight({
      correlation_id,
      severity: 'warning',
      insight_type: 'flow',
      state: 'resolved',
      last_seen: ago(7200),
    });
    const list = async (query: string) => ids(await api.get(`/insights?correlation_id=${correlation_id}${query}`));
    expect(await list('')).toEqual([second, first, third]);
    expect(await list('&severity=critical')).toEqual([first]);
    expect(await list('&insight_type=flow')).toEqual([second, third]);
    expect(await list('&resolved=true')).toEqual([third]);
    expect(await list('&resolved=false')).toEqual([second, first]);
    expect(await list('&resolved=true&state=open')).toEqual([]);
    expect(await list('&state=resolved')).toEqual([third]);
    expect(await list('&time_range=1h')).toEqual([second, first]);
    const page = await api.get(`/insights?correlation_id=${correlation_id}&limit=2`);
    expect(await list(`&limit=2&cursor=${page.body.meta.next_cursor}`)).toEqual([third]);
  });

  test('are resolved with notes, found as resolved, reopened and ignored', async () => {
    const id = await putInsight({});
    const resolved = await api.put(`/insights/${id}/resolve`, { resolution_notes: 'more memory', actor: 'ann' });
    expect(resolved.body.data).toMatchObject({
      state: 'resolved',
      resolution_notes: 'more memory',
      resolved_by: 'ann',
      resolved_at: expect.any(String),
    });
    expect(ids(await api.get('/insights?resolved=true'))).toContain(id);
    expect((await api.get(`/insights/${id}`)).body.data).toEqual(resolved.body.data);
    expect((await api.put(`/insights/${id}/reopen`, {})).body.data).toMatchObject({
      state: 'open',
      resolved_at: null,
      resolution_notes: 'more memory',
    });
    expect((await api.put(`/insights/${id}/ignore`, { actor: 'bob', notes: 'known' })).body.data).toMatchObject({
      state: 'ignored',
      resolved_by: 'bob',
    });
  });

  test('that do not exist are not found', async () => {
    const missing = '0'.repeat(32);
    for (const answer of [
      await api.get(`/insights/${missing}`),
      await api.put(`/insights/${missing}/resolve`, { resolution_notes: 'x' }),
      await api.put('/insights/nonsense/ignore', {}),
      await api.put(`/insights/${missing}/reopen`, {}),
    ]) {
      expect(answer).toMatchObject({ status: 404, body: { code: 'INSIGHT_NOT_FOUND' } });
    }
  });

  test('are counted by kind', async () => {
    await putInsight({ insight_type: 'prediction', severity: 'info', last_seen: '2026-11-01T10:00:00.000000000Z' });
    await putInsight({
      insight_type: 'prediction',
      severity: 'info',
      state: 'resolved',
      last_seen: '2026-11-01T10:00:00.000000000Z',
    });
    const { body } = await api.get('/analytics/insights-summary?start=2026-11-01T09:00:00Z&end=2026-11-01T11:00:00Z');
    expect(body.data).toMatchObject({
      total_count: 2,
      resolved_count: 1,
      unresolved_count: 1,
      by_type: { prediction: { info: 2 } },
    });
  });

  test('explain the events that are their evidence', async () => {
    const component_id = fresh('agent');
    const id = await post({ component_id, level: 'ERROR', message: 'timeout' });
    const insight = await putInsight({
      affected_components: [{ type: 'agent', id: component_id }],
      description: 'the store is slow',
      confidence_score: 0.83,
      evidence: { event_ids: [id], span_ids: [], trace_ids: [], snapshot_ids: [], numbers: {} },
    });
    const expected = { event_id: id, insight_id: insight, description: 'the store is slow', confidence: 0.83 };
    expect((await api.get(`/errors/${id}/explain`)).body.data).toMatchObject(expected);
    expect((await api.get(`/errors/${insight}/explain`)).body.data).toMatchObject(expected);
  });

  test('leave what is no error unexplained', async () => {
    const fine = await api.get(`/errors/${await post({ level: 'INFO', correlation_id: fresh('c') })}/explain`);
    expect(fine.body.data).toMatchObject({ insight_id: null, confidence: 0, root_cause: null });
    expect(await api.get(`/errors/${'0'.repeat(32)}/explain`)).toMatchObject({
      status: 404,
      body: { code: 'EVENT_NOT_FOUND' },
    });
  });

  test('name the earliest failure behind an error, also before anybody looked', async () => {
    const correlation_id = fresh('c');
    const root = await post({
      correlation_id,
      component_id: 'store',
      event_type: 'error',
      level: 'ERROR',
      message: 'disk is gone',
      timestamp: ago(3),
    });
    const error = await post({
      correlation_id,
      component_id: 'shop',
      event_type: 'error',
      level: 'ERROR',
      message: 'order failed',
      parent_event_id: root,
      timestamp: ago(2),
    });
    const { body } = await api.get(`/errors/${error}/explain`);
    expect(body.data).toMatchObject({
      event_id: error,
      insight_id: null,
      root_cause: { event_id: root, component_id: 'store', message: 'disk is gone' },
    });
    expect(body.data.chain.map((link: { event_id: string }) => link.event_id)).toEqual([error, root]);
    expect(body.data.affected_components.map(({ id }: { id: string }) => id)).toEqual(
      expect.arrayContaining(['store', 'shop']),
    );
  });

  test('are made when asked for, once however often', async () => {
    const correlation_id = fresh('c');
    await post({ correlation_id, component_id: 'pay', event_type: 'error', level: 'ERROR', message: 'card refused' });
    const made = await api.post('/insights/generate', { correlation_id });
    expect(made.body.data.length).toBeGreaterThan(0);
    expect(ids(await api.post('/insights/generate', { correlation_id }))).toEqual(ids(made));
    expect(ids(await api.get(`/insights?correlation_id=${correlation_id}`)).sort()).toEqual(ids(made).sort());
    expect((await api.get(`/correlations/${correlation_id}`)).body.data.insights).toHaveLength(ids(made).length);
  });
});

test('generate finds nothing in nothing', async () => {
  expect((await api.post('/insights/generate', { correlation_id: 'nothing' })).body.data).toEqual([]);
});
