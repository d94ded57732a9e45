import { expect, test } from 'vitest';
import { errorLog, log, span, unbounded, windowOf } from '../test/support/telemetry.ts';
import { blastRadiusOf } from './blast-radius.ts';
import { failuresOf } from './failures/find.ts';

test('the components it reached in order and time, and which operations of the outside failed with it', () => {
  const run = (i: number, failed: boolean, name: string) => {
    const trace = `t${i}`;
    return [
      span({ ms: i * 100, by: 'web', trace, id: `a${i}`, name, kind: 'server', took: 50, failed }),
      span({ ms: i * 100 + 5, by: 'web', trace, id: `b${i}`, parent: `a${i}`, kind: 'client', took: 40, failed }),
      span({ ms: i * 100 + 10, by: 'db', trace, id: `c${i}`, parent: `b${i}`, kind: 'server', took: 20, failed }),
      ...(failed ? [errorLog({ ms: i * 100 + 15, by: 'db', trace, span: `c${i}`, message: 'disk full' })] : []),
    ];
  };
  const window = windowOf([
    ...run(0, true, 'POST /pay'),
    ...run(1, true, 'POST /pay'),
    ...run(2, false, 'POST /pay'),
    ...run(3, false, 'GET /'),
  ]);
  const radius = blastRadiusOf(failuresOf(window, unbounded), window);
  expect(radius).toMatchObject({
    component_count: 2,
    components: [
      { component: 'service/db', operations: 2 },
      { component: 'service/web', operations: 2 },
    ],
    operations: [{ operation: 'service/web POST /pay', failed: 2, runs: 3 }],
  });
});

test('of logs alone too, whatever the clocks say', () => {
  const window = windowOf([
    log({ ms: 0, by: 'web', correlation: 'c', message: 'begin' }),
    errorLog({ ms: 10, by: 'db', correlation: 'c', message: 'disk full' }),
    errorLog({ ms: 20, by: 'web', correlation: 'c', message: 'cannot pay' }),
  ]);
  expect(blastRadiusOf(failuresOf(window, unbounded), window)).toMatchObject({
    components: [
      { component: 'service/db', after_ms: 0 },
      { component: 'service/web', after_ms: 10 },
    ],
    operations: [{ operation: 'service/web begin', failed: 1, runs: 1 }],
  });
});
