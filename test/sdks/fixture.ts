/** What all emitters send (js/emit.ts tells it in one place), as the events that it must become. */
import { expect } from 'vitest';
import type { Sdk } from './sdk.ts';

/** Two spans, the exception of one of them, three log records, four metric points. */
export const FIXTURE_EVENTS = 10;

export const TRACE_ID = '5b8aa5a2d2c872e8321cf37308d69df2';
const PARENT_SPAN_ID = '051581bf3cb55c13';
const CHILD_SPAN_ID = '5fb397be34d26b51';

/** A minute ago, so that nothing is late; with nanoseconds, which a time in milliseconds would lose. */
export const BASE_TIME_NS = BigInt(Date.now() - 60_000) * 1_000_000n + 456_789n;

/** What must stand in each event, in the order of their times and then names. */
export function expectedEvents(sdk: Sdk): object[] {
  const attributes = {
    string: 'grüße ☃ 😀',
    'string.empty': '',
    int: 42,
    'int.negative': -7,
    'int.large': 2 ** 53 - 1,
    // More than JavaScript counts exactly, so the SDK cannot send it, and in JSON it is text.
    ...(sdk.name === 'js' ? {} : { 'int.max': '9223372036854775807' }),
    double: 0.1,
    'double.whole': 3,
    'bool.true': true,
    'bool.false': false,
    'array.string': ['a', '', 'ß'],
    'array.int': [1, -2, 3],
    'array.double': [0.5, -1.5],
    'array.bool': [true, false],
  };
  const exception = {
    'exception.type': expect.stringMatching(/(^|\.)CardDeclined$/),
    'exception.message': 'card declined',
    'exception.stacktrace': expect.stringMatching(/^CardDeclined: card declined\n\s*at /),
  };
  // The correlation id stands on one span and one log record; the rest of the trace has it from them.
  const inTrace = { trace_id: TRACE_ID, correlation_id: 'order-4711' };
  const outside = { trace_id: null, span_id: null, correlation_id: null };
  const point = { ...outside, event_type: 'metric', level: null, timestamp: at(1_000_000_000) };

  return [
    {
      ...inTrace,
      event_type: 'span',
      name: 'POST /checkout',
      span_id: PARENT_SPAN_ID,
      parent_span_id: null,
      operation_id: 'checkout-1',
      status: 'unset',
      timestamp: at(0),
      duration_ms: 250.000007,
      data: { ...attributes, correlation_id: 'order-4711', operation_id: 'checkout-1' },
      span: expect.objectContaining({
        kind: 'server',
        end_timestamp: at(250_000_007),
        events: [{ name: 'cache.miss', timestamp: at(10_000_001), attributes: { key: 'cart:4711', size: 3 } }],
        links: [
          expect.objectContaining({
            trace_id: '0102030405060708090a0b0c0d0e0f10',
            span_id: 'a1a2a3a4a5a6a7a8',
            attributes: { 'link.kind': 'follows' },
          }),
        ],
      }),
    },
    {
      ...inTrace,
      event_type: 'span',
      name: 'charge card',
      span_id: CHILD_SPAN_ID,
      parent_span_id: PARENT_SPAN_ID,
      status: 'error',
      level: 'ERROR',
      timestamp: at(20_000_000),
      duration_ms: 180,
      data: {},
      span: expect.objectContaining({ kind: 'client', status_message: 'card declined' }),
    },
    {
      ...inTrace,
      event_type: 'log',
      span_id: CHILD_SPAN_ID,
      level: 'INFO',
      severity_number: 9,
      message: 'charging order 4711',
      timestamp: at(30_000_000),
      data: {
        ...attributes,
        bytes: 'AAF/gP8=',
        map: { inner: { list: [1, 'two', { three: true }], bytes: '3q0=' }, empty: {} },
        correlation_id: 'order-4711',
      },
      log: { severity_text: 'INFO', observed_timestamp: at(30_000_500) },
    },
    {
      ...inTrace,
      event_type: 'error',
      span_id: CHILD_SPAN_ID,
      level: 'ERROR',
      message: 'card declined',
      timestamp: at(150_000_003),
      data: expect.objectContaining(exception),
    },
    {
      ...outside,
      event_type: 'error',
      level: 'ERROR',
      severity_number: 18,
      message: 'could not charge',
      timestamp: at(160_000_000),
      data: exception,
      log: { severity_text: 'ERROR', observed_timestamp: at(160_000_500) },
    },
    {
      ...inTrace,
      event_type: 'log',
      span_id: CHILD_SPAN_ID,
      operation_id: 'checkout-1',
      level: 'INFO',
      severity_number: 11,
      message: 'order.placed',
      timestamp: at(240_000_000),
      data: { operation_id: 'checkout-1' },
      log: {
        event_name: 'order.placed',
        observed_timestamp: at(240_000_500),
        body: { order: { id: 4711, lines: ['tea', 'cup'] }, total: 12.5, gift: false },
      },
    },
    {
      ...point,
      metric: expect.objectContaining({
        metric_name: 'checkout.duration',
        type: 'histogram',
        unit: 'ms',
        temporality: 'cumulative',
        dimensions: { channel: 'web' },
        start_timestamp: at(0),
        count: 3,
        sum: 555.5,
        min: 5,
        max: 500.5,
        explicit_bounds: [10, 100],
        bucket_counts: [1, 1, 1],
      }),
    },
    {
      ...point,
      metric: expect.objectContaining({
        metric_name: 'orders.placed',
        type: 'sum',
        unit: '{order}',
        description: 'Orders placed',
        temporality: 'cumulative',
        is_monotonic: true,
        dimensions: { channel: 'web' },
        value: 3,
      }),
    },
    {
      ...point,
      metric: expect.objectContaining({
        metric_name: 'payload.size',
        type: 'exponential_histogram',
        unit: 'By',
        count: 3,
        sum: 1027,
        min: 1,
        max: 1024,
        scale: 3,
        zero_count: 0,
        // 1, 2 and 1024 in buckets of a base of 2^(1/8); what follows the last is padding of some SDKs.
        positive: { offset: -1, bucket_counts: startingWith([1, ...zeros(7), 1, ...zeros(71), 1]) },
      }),
    },
    {
      ...point,
      metric: expect.objectContaining({
        metric_name: 'stock.level',
        type: 'gauge',
        unit: '1',
        dimensions: { sku: 'tea' },
        value: 17.5,
      }),
    },
  ];
}

function at(offsetNs: number): string {
  const ns = BASE_TIME_NS + BigInt(offsetNs);
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}

const zeros = (count: number): number[] => new Array(count).fill(0);

/** Matches the array with any number of zeros behind it. */
function startingWith(items: number[]) {
  return {
    asymmetricMatch: (actual: unknown) =>
      Array.isArray(actual) && actual.every((item, i) => item === (items[i] ?? 0)) && actual.length >= items.length,
  };
}
