import { expect, test } from 'vitest';
import { at, span } from '../test/support/telemetry.ts';
import { joinTraces } from './window.ts';

const trace = 't';
const place = (...spans: Parameters<typeof span>[0][]) => {
  const [joined] = joinTraces(spans.map(span));
  return (id: string) => {
    const { start, end } = joined!.byId.get(id)!.span;
    return { start: Number(start - at(0)) / 1e6, end: Number(end - at(0)) / 1e6 };
  };
};

test('a span of another node that seems to run before its caller is moved to its middle, with what is below it', () => {
  const of = place(
    { ms: 1000, by: 'front', trace, id: 'a', took: 100 },
    { ms: 400, by: 'stock@n2', trace, id: 'b', parent: 'a', took: 60 },
    { ms: 410, by: 'stock@n2', trace, id: 'c', parent: 'b', took: 20 },
  );
  expect(of('b')).toEqual({ start: 1020, end: 1080 });
  expect(of('c')).toEqual({ start: 1030, end: 1050 });
});

test('what fits is left alone, as is the same node; what is not waited for is only kept from starting before its cause', () => {
  const of = place(
    { ms: 0, by: 'front', trace, id: 'a', took: 100 },
    { ms: 10, by: 'stock', trace, id: 'b', parent: 'a', took: 60 },
    { ms: 90, by: 'front', trace, id: 'c', parent: 'a', took: 60 },
    { ms: -50, by: 'mail', trace, id: 'd', parent: 'a', took: 500 },
    { ms: 300, by: 'mail', trace, id: 'e', parent: 'a', kind: 'consumer', took: 5 },
  );
  expect(of('b')).toEqual({ start: 10, end: 70 });
  expect(of('c')).toEqual({ start: 90, end: 150 });
  expect(of('d')).toEqual({ start: 0, end: 500 });
  expect(of('e')).toEqual({ start: 300, end: 305 });
});

test('a circle of parents ends', () => {
  const of = place(
    { ms: 0, by: 'a', trace, id: 'a', parent: 'b', took: 10 },
    { ms: 5, by: 'b', trace, id: 'b', parent: 'a', took: 5 },
  );
  expect(of('b')).toEqual({ start: 5, end: 10 });
});
