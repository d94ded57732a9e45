import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeIndex, decodePayload } from '../model/block.ts';
import { buildBlock } from '../model/block-builder.ts';
import type { DebugEvent } from '../model/event.ts';
import { parseNanos } from '../model/time.ts';
import { DEFAULT_KEYS } from '../otlp/keys.ts';
import { readBlock } from '../otlp/read.ts';
import { createIndexer } from '../otlp/walk.ts';
import { encodeEvents, encodeState, type PostedEvent, type PostedObject, type PostedState } from './records.ts';

const TIME = parseNanos('2026-11-22T12:00:00.123456789Z')!;
const EVENT: PostedEvent = {
  event_type: 'log',
  component_type: 'agent',
  component_id: 'agent-1',
  correlation_id: 'c-1',
};
const STATE: PostedState = {
  component_type: 'service',
  component_id: 'inventory-a',
  operation_id: 'op-1',
  state_data: { sku: { qty: 7, tags: ['x'] }, empty: {} },
};

/** What comes out of the store for a request that goes in. */
function throughTheStore(body: Uint8Array, keys = DEFAULT_KEYS): DebugEvent[] {
  const { records, rejected } = createIndexer(keys)('log', body);
  expect(rejected).toBe(0);
  const block = buildBlock('t', 0, '2026-11-22', records);
  const read = readBlock(decodeIndex(block.index), decodePayload(block.payload));
  return records.map((_, i) => read.event(i, () => undefined));
}

const stored = (posted: Partial<PostedEvent>, postId = 'p', keys = DEFAULT_KEYS) =>
  throughTheStore(encodeEvents([{ posted: { ...EVENT, ...posted }, time: TIME, postId }], keys), keys)[0]!;

describe('an event', () => {
  test('reads back as it was posted', () => {
    const posted: PostedEvent = {
      event_type: 'system',
      component_type: 'workflow',
      component_id: 'w-9',
      correlation_id: 'c-2',
      operation_id: 'op-9',
      parent_event_id: 'a'.repeat(32),
      level: 'WARNING',
      message: 'half way\0 there',
      data: { progress: 0.5, nested: { list: [1, 'two', null, { three: true }] }, nothing: null, text: '' },
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      span_id: 'b7ad6b7169203331',
    };
    expect(stored(posted)).toMatchObject({
      ...posted,
      timestamp: '2026-11-22T12:00:00.123456789Z',
      severity_number: 13,
    });
  });

  test('says nothing of what was left out', () => {
    expect(stored({ component_id: null, message: null, data: null })).toMatchObject({
      component_id: 'unknown',
      level: null,
      message: '',
      data: {},
      operation_id: null,
      parent_event_id: null,
      trace_id: null,
    });
  });

  test('of type error without a level is an ERROR', () => {
    expect(stored({ event_type: 'error' })).toMatchObject({ event_type: 'error', level: 'ERROR' });
  });

  test('keeps its type whatever its level and data look like', () => {
    expect(stored({ event_type: 'log', level: 'CRITICAL', data: { 'exception.type': 'Boom' } }).event_type).toBe('log');
  });

  test('keeps integers that a double cannot hold, to the digit', () => {
    const data = { big: 2n ** 63n - 1n, least: -(2n ** 63n), beyond: 2n ** 70n, small: 5 };
    expect(stored({ data }).data).toEqual({
      big: '9223372036854775807',
      least: '-9223372036854775808',
      beyond: '1180591620717411303424',
      small: 5,
    });
  });

  test('any JSON reads back as it was posted', () => {
    const data = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue(), { maxKeys: 5 });
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
    fc.assert(
      fc.property(data, (given) => {
        expect(plain(stored({ data: given as PostedObject }).data)).toEqual(plain(given));
      }),
    );
  });

  test('what the post says outranks what its data says', () => {
    const data = {
      correlation_id: 'other',
      'debug.component.id': 'other',
      'service.name': 'x',
      operation_id: 'op-data',
    };
    const event = stored({ data, operation_id: 'op-post' });
    expect(event).toMatchObject({ correlation_id: 'c-1', component_id: 'agent-1', operation_id: 'op-post' });
    expect(event.data).toMatchObject({ correlation_id: 'other', 'service.name': 'x', operation_id: 'op-data' });
  });

  test('is found under whatever keys are configured', () => {
    const keys = { correlationKeys: ['order.id'], operationKeys: ['job.id', 'operation_id'] };
    expect(stored({ operation_id: 'op-1' }, 'p', keys)).toMatchObject({ correlation_id: 'c-1', operation_id: 'op-1' });
  });

  test('posted twice is two events; the same post again is the same event', () => {
    expect(stored({}, 'p1').id).toBe(stored({}, 'p1').id);
    expect(stored({}, 'p1').id).not.toBe(stored({}, 'p2').id);
  });
});

test('events of one request keep their order', () => {
  const posts = ['a', 'b', 'c'].map((message, i) => ({ posted: { ...EVENT, message }, time: TIME, postId: `${i}` }));
  expect(throughTheStore(encodeEvents(posts, DEFAULT_KEYS)).map((event) => event.message)).toEqual(['a', 'b', 'c']);
});

test('a state is a snapshot whose body is the state', () => {
  const posted: PostedState = {
    ...STATE,
    checkpoint_name: 'after write',
    snapshot_type: 'partial',
    correlation_id: 'c-3',
  };
  const [event] = throughTheStore(encodeState({ posted, time: TIME, postId: 'p' }, DEFAULT_KEYS));
  expect(event).toMatchObject({
    event_type: 'state_snapshot',
    component_type: 'service',
    component_id: 'inventory-a',
    operation_id: 'op-1',
    correlation_id: 'c-3',
    data: { 'debug.checkpoint': 'after write', 'debug.snapshot.type': 'partial' },
    log: { event_name: 'debug.state.snapshot', body: { sku: { qty: 7, tags: ['x'] }, empty: {} } },
  });
});
