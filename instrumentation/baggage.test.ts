import { type BaggageEntry, baggageEntryMetadataFromString, propagation, ROOT_CONTEXT } from '@opentelemetry/api';
import { suppressTracing, W3CBaggagePropagator } from '@opentelemetry/core';
import { expect, test } from 'vitest';
import { BaggagePropagator } from './baggage.ts';
import { CORRELATION_ID } from './correlation.ts';

const library = new W3CBaggagePropagator();
const ours = new BaggagePropagator();
const getter = {
  keys: (carrier: Record<string, unknown>) => Object.keys(carrier),
  get: (carrier: Record<string, unknown>, key: string) => carrier[key] as string | string[] | undefined,
};

test.each([
  [`${CORRELATION_ID}=0af7651916cd43dd8448eb211c80319c`],
  [`${CORRELATION_ID}=order%201`],
  [`${CORRELATION_ID}=a b`],
  [`${CORRELATION_ID}=`],
  [`${CORRELATION_ID}=${'x'.repeat(256)}`],
  [`${CORRELATION_ID}=${'x'.repeat(257)}`],
  [`${CORRELATION_ID}=a;property=1`],
  [`${CORRELATION_ID}=a,tenant=b`],
  [`tenant=b,${CORRELATION_ID}=a`],
  [` ${CORRELATION_ID} = a `],
  [`${CORRELATION_ID}=a=b`],
  [`${CORRELATION_ID}=a\n`],
  ['debugXcorrelation_id=a'],
  ['tenant=b'],
  [''],
  [[`${CORRELATION_ID}=a`, 'tenant=b']],
  [undefined],
])('reads %j as the library does', (header) => {
  const [given, expected] = [ours, library].map((propagator) =>
    propagation
      .getBaggage(propagator.extract(ROOT_CONTEXT, { baggage: header }, getter))
      ?.getAllEntries()
      .map(([key, { value, metadata }]) => [key, value, metadata?.toString()]),
  );
  expect(given).toEqual(expected);
});

const entries: [string, Record<string, BaggageEntry>][] = [
  ['an id alone', { [CORRELATION_ID]: { value: 'order-1.~_' } }],
  ['one that needs escapes', { [CORRELATION_ID]: { value: 'a b,c/ü' } }],
  ['one that is empty', { [CORRELATION_ID]: { value: '' } }],
  ['a long one', { [CORRELATION_ID]: { value: 'x'.repeat(5000) } }],
  ['one with a property', { [CORRELATION_ID]: { value: 'a', metadata: baggageEntryMetadataFromString('p=1') } }],
  ['one beside another', { [CORRELATION_ID]: { value: 'a' }, tenant: { value: 'b' } }],
  ['another', { tenant: { value: 'b' } }],
  ['none', {}],
];

test.each(entries)('writes %s as the library does', (_, baggage) => {
  const ctx = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage(baggage));
  for (const from of [ctx, suppressTracing(ctx), ROOT_CONTEXT]) {
    const [given, expected] = [ours, library].map((propagator) => {
      const sent: Record<string, string> = {};
      propagator.inject(from, sent, { set: (carrier, key, value) => (carrier[key] = value) });
      return sent;
    });
    expect(given).toEqual(expected);
  }
});

test('what was read can be changed as any baggage, and stays what it was', () => {
  const headers = { baggage: `${CORRELATION_ID}=a` };
  const [given, expected] = [ours, library].map((propagator) => {
    const read = propagation.getBaggage(propagator.extract(ROOT_CONTEXT, headers, getter))!;
    const changed = [
      read.setEntry('tenant', { value: 'b' }),
      read.setEntry(CORRELATION_ID, { value: 'c' }),
      read.removeEntry(CORRELATION_ID),
      read.removeEntry('tenant'),
      read.removeEntries('tenant', CORRELATION_ID),
      read.clear(),
      read,
    ];
    return changed.map((baggage) => [
      baggage.getAllEntries().map(([key, { value }]) => [key, value]),
      baggage.getEntry(CORRELATION_ID)?.value,
      baggage.getEntry('tenant')?.value,
    ]);
  });
  expect(given).toEqual(expected);
});
