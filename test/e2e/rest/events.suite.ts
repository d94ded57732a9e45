/** What is posted: single events, batches, and the same request sent again. */
import { describe, expect, test } from 'vitest';
import { ago, api, event, fresh, ids, post, system } from './shared.ts';

describe('events', () => {
  test('what is posted is there at once, as it was posted', async () => {
    const posted = event({
      event_type: 'system',
      component_id: 'a-1',
      level: 'WARNING',
      message: 'half way',
      operation_id: 'op-1',
      parent_event_id: 'f'.repeat(32),
      timestamp: '2026-11-22T10:00:00.000000001Z',
      data: { deep: { list: [1, 'two', null] }, constructor: 'x' },
    });
    const answer = await api.post('/events', posted);
    expect(answer.status).toBe(201);
    const found = await api.get(`/events/${answer.body.data.event_id}`);
    expect(found.body.data).toMatchObject(posted);
    expect(found.body.meta).toMatchObject({ count: 1, truncated: false, tier: 'hot', coverage: { pending: 0 } });
  });

  test('keys and integers of data come through that JSON libraries trip over', async () => {
    const body = `{"event_type":"log","component_type":"agent","correlation_id":"c","data":{"__proto__":{"x":1},"big":9007199254740993}}`;
    const answer = await api.post('/events', body);
    const found = await fetch(`${system.url}/api/debug/events/${answer.body.data.event_id}`);
    expect(await found.text()).toContain('"data":{"__proto__":{"x":1},"big":"9007199254740993"}');
  });

  test('filters narrow alone and together, newest first', async () => {
    const correlation_id = fresh('c');
    const base = { correlation_id };
    const one = await post({
      ...base,
      component_id: 'agent-x',
      level: 'INFO',
      message: 'Order placed',
      timestamp: ago(30),
    });
    const two = await post({
      ...base,
      component_id: 'agent-x',
      level: 'ERROR',
      event_type: 'error',
      message: 'order LOST',
      timestamp: ago(20),
    });
    const three = await post({
      ...base,
      component_type: 'browser',
      component_id: 'tab-1',
      level: 'WARNING',
      operation_id: 'op-f',
      data: { region: 'eu', tries: 3 },
      timestamp: ago(7200),
    });
    const list = async (query: string) => ids(await api.get(`/events?correlation_id=${correlation_id}${query}`));
    expect(await list('')).toEqual([two, one, three]);
    expect(await list('&component_type=agent')).toEqual([two, one]);
    expect(await list('&component_id=tab-1')).toEqual([three]);
    expect(await list('&event_type=error')).toEqual([two]);
    expect(await list('&event_type=error,log')).toEqual([two, one, three]);
    expect(await list('&event_type=error&event_type=log')).toEqual([two, one, three]);
    expect(await list('&level=WARNING')).toEqual([three]);
    expect(await list('&min_level=WARNING')).toEqual([two, three]);
    expect(await list('&q=order')).toEqual([two, one]);
    expect(await list('&operation_id=op-f')).toEqual([three]);
    expect(await list('&attr.region=eu&attr.tries=3')).toEqual([three]);
    expect(await list('&attr.region=us')).toEqual([]);
    expect(await list('&time_range=last_1h')).toEqual([two, one]);
    expect(await list('&time_range=1h')).toEqual([two, one]);
    expect(await list(`&start=${ago(25)}&end=${ago(15)}`)).toEqual([two]);
    expect(await list('&component_type=agent&level=INFO&time_range=1h')).toEqual([one]);
    expect(await list('&limit=1')).toEqual([two]);
  });

  test('levels go by what loggers call them too', async () => {
    const correlation_id = fresh('c');
    const event_id = await post({ correlation_id, level: 'WARNING' });
    for (const asked of ['level=warn', 'level=Warning', 'min_level=info', 'min_level=WARN'])
      expect(ids(await api.get(`/events?correlation_id=${correlation_id}&${asked}`))).toEqual([event_id]);
    expect(ids(await api.get(`/events?correlation_id=${correlation_id}&min_level=fatal`))).toEqual([]);
  });

  test('pages partition the list, also while new events come in', async () => {
    const correlation_id = fresh('c');
    const all: string[] = [];
    for (let i = 0; i < 7; i++) all.unshift(await post({ correlation_id, timestamp: ago(100 - i) }));
    const paged: string[] = [];
    let cursor = '';
    do {
      const page = await api.get(
        `/events?correlation_id=${correlation_id}&time_range=1h&limit=3${cursor && `&cursor=${cursor}`}`,
      );
      paged.push(...ids(page));
      cursor = page.body.meta.next_cursor ?? '';
      expect(page.body.meta.truncated).toBe(cursor !== '');
      await post({ correlation_id });
    } while (cursor !== '');
    expect(paged).toEqual(all);
  });

  test('a cursor is good for its own question only', async () => {
    const correlation_id = fresh('c');
    await post({ correlation_id });
    await post({ correlation_id });
    const { body } = await api.get(`/events?correlation_id=${correlation_id}&limit=1`);
    for (const query of [`cursor=${body.meta.next_cursor}`, `correlation_id=${correlation_id}&cursor=xyz`]) {
      const refused = await api.get(`/events?${query}`);
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ field: 'cursor' }] } });
    }
  });

  test('an empty list says why', async () => {
    const empty = async (query: string) => (await api.get(`/events?${query}`)).body.meta.coverage.empty;
    expect(await empty('component_id=nobody')).toBe('no_match');
    expect(await empty('component_id=nobody&end=2020-01-01T00:00:00Z')).toBe('out_of_retention');
  });

  test('children are linked to their parent and found under the correlation', async () => {
    const correlation_id = fresh('c');
    const parent = await post({ correlation_id, timestamp: ago(2) });
    const child = await post({ correlation_id, parent_event_id: parent });
    expect((await api.get(`/events/${child}`)).body.data.parent_event_id).toBe(parent);
    expect(ids(await api.get(`/events?correlation_id=${correlation_id}`))).toEqual([child, parent]);
  });

  test.each(['0'.repeat(32), 'nonsense', 'F'.repeat(32), '%2F'])('no event %s', async (id) => {
    expect(await api.get(`/events/${id}`)).toMatchObject({ status: 404, body: { code: 'EVENT_NOT_FOUND' } });
  });
});

describe('batches', () => {
  test('ids come in the order of the events', async () => {
    const correlation_id = fresh('c');
    const events = ['a', 'b', 'c'].map((message) => event({ correlation_id, message }));
    const { status, body } = await api.post('/events/batch', { events });
    expect(status).toBe(201);
    expect(body.data).toMatchObject({ collected_count: 3, errors: [] });
    for (const [i, id] of body.data.event_ids.entries()) {
      expect((await api.get(`/events/${id}`)).body.data.message).toBe(events[i]!.message);
    }
  });

  test('what is malformed is named, the rest is stored', async () => {
    const events = [event(), { ...event(), level: 'LOUD' }, 'nonsense', event()];
    const { status, body } = await api.post('/events/batch', { events });
    expect(status).toBe(201);
    expect(body.data.collected_count).toBe(2);
    expect(body.data.event_ids.map((id: string | null) => id !== null)).toEqual([true, false, false, true]);
    expect(body.data.errors).toMatchObject([{ index: 1, message: expect.stringContaining('level') }, { index: 2 }]);
  });

  test('of which nothing can be stored is no success', async () => {
    const refused = await api.post('/events/batch', { events: [{}] });
    expect(refused).toMatchObject({
      status: 422,
      body: { errors: expect.arrayContaining([{ field: 'events[0].event_type', message: expect.any(String) }]) },
    });
  });

  test('may be empty', async () => {
    expect((await api.post('/events/batch', { events: [] })).body.data).toEqual({
      collected_count: 0,
      event_ids: [],
      errors: [],
    });
  });

  test('of too many is too large', async () => {
    const refused = await api.post('/events/batch', { events: new Array(10_001).fill(1) });
    expect(refused).toMatchObject({ status: 413, body: { code: 'TOO_LARGE' } });
  });
});

describe('a request sent again', () => {
  test('with an Idempotency-Key stores nothing twice, also at the same time', async () => {
    const correlation_id = fresh('c');
    const key = { 'idempotency-key': fresh('key') };
    const answers = await Promise.all([1, 2, 3].map(() => api.post('/events', event({ correlation_id }), key)));
    expect(new Set(answers.map(({ body }) => body.data.event_id)).size).toBe(1);
    expect(ids(await api.get(`/events?correlation_id=${correlation_id}`))).toHaveLength(1);
    const other = await api.post('/events', event({ correlation_id, message: 'other' }), key);
    expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
  });

  test('without one is another event', async () => {
    const correlation_id = fresh('c');
    const same = { correlation_id, timestamp: ago(1) };
    expect(await post(same)).not.toBe(await post(same));
  });

  test('that failed may be tried again', async () => {
    const key = { 'idempotency-key': fresh('key') };
    expect((await api.post('/events', {}, key)).status).toBe(422);
    expect((await api.post('/events', event(), key)).status).toBe(201);
    expect((await api.post('/events', event(), { 'idempotency-key': 'two words' })).status).toBe(400);
  });
});
