/** How far operations are. */
import { describe, expect, test } from 'vitest';
import { ago, api, fresh, post } from './shared.ts';

describe('operations', () => {
  test('progress is the mean of the latest of each step', async () => {
    const operation_id = fresh('op');
    await post({ operation_id, data: { step: 'a', status: 'completed' } });
    await post({ operation_id, data: { step: 'b', progress: 0.2 } });
    await post({ operation_id, data: { step: 'b', progress: 0.5 } });
    const { body } = await api.get(`/operations/${operation_id}/progress`);
    expect(body.data).toMatchObject({
      operation_id,
      progress: 0.75,
      status: 'in_progress',
      total_steps: 2,
      completed_steps: 1,
    });
  });

  test('may be known by their correlation alone', async () => {
    const correlation_id = fresh('op');
    await post({ correlation_id, data: { progress: 0.65 } });
    expect((await api.get(`/operations/${correlation_id}/progress`)).body.data.progress).toBe(0.65);
  });

  test('one that nobody knows is not found', async () => {
    expect(await api.get('/operations/nothing/progress')).toMatchObject({
      status: 404,
      body: { code: 'OPERATION_NOT_FOUND' },
    });
  });

  test('those under way are listed by correlation', async () => {
    const [fine, failing, stalled, old] = [fresh('c'), fresh('c'), fresh('c'), fresh('c')];
    await post({ correlation_id: fine });
    await post({ correlation_id: failing, level: 'ERROR' });
    await post({ correlation_id: failing });
    await post({ correlation_id: stalled, timestamp: ago(90) });
    await post({ correlation_id: old, timestamp: ago(36_000) });
    const { body } = await api.get('/analytics/active-operations?limit=1000');
    const of = (id: string) =>
      body.data.find((operation: { correlation_id: string }) => operation.correlation_id === id);
    expect(of(fine)).toMatchObject({ status: 'active', event_count: 1, error_count: 0 });
    expect(of(failing)).toMatchObject({ status: 'errors', event_count: 2, error_count: 1 });
    expect(of(stalled)).toMatchObject({ status: 'stalled' });
    expect(of(old)).toBeUndefined();
  });
});
