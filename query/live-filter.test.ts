import { describe, expect, test } from 'vitest';
import { decodeIndex } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import type { Insight } from '../model/insight.ts';
import { type LogSpec, logBlock, NOON } from '../test/support/blocks.ts';
import { compileFilter, type LiveFilter } from './live-filter.ts';

const wants = (filter: LiveFilter, log: Partial<LogSpec>, correlations: (string | undefined)[] = []) => {
  const test = compileFilter(filter).block(decodeIndex(logBlock([{ time: NOON, ...log }]).index));
  return (test?.kind(0) ?? false) && (test?.record?.(0, correlations) ?? true);
};

describe('records', () => {
  test.each<[LiveFilter, Partial<LogSpec>, boolean]>([
    [{}, {}, true],
    [{ level: [] }, {}, true],
    [{ level: ['ERROR'] }, { severity: 17 }, true],
    [{ level: ['ERROR'] }, { severity: 20 }, true],
    [{ level: ['ERROR'] }, { severity: 21 }, false],
    [{ level: ['ERROR', 'INFO'] }, { severity: 9 }, true],
    [{ level: ['INFO'] }, { severity: 0 }, false],
    [{ min_level: 'WARNING' }, { severity: 12 }, false],
    [{ min_level: 'WARNING' }, { severity: 13 }, true],
    [{ min_level: 'WARNING' }, { severity: 0 }, false],
    [{ min_level: 'TRACE' }, { severity: 0 }, false],
    [{}, { severity: 0 }, true],
    [{ level: ['INFO'], min_level: 'WARNING' }, { severity: 9 }, false],
    [{ event_type: ['error'] }, { severity: 17 }, true],
    [{ event_type: ['error'] }, { severity: 9 }, false],
    [{ event_type: ['log', 'span'] }, { severity: 9 }, true],
    [{ message_type: ['debug:event'] }, {}, true],
    [{ message_type: ['debug:metric_update'] }, {}, false],
    [{ message_type: ['debug:event'], event_type: ['metric'] }, {}, false],
    [{ component_type: ['agent'] }, { component: { type: 'agent', id: 'a' } }, true],
    [{ component_type: ['agent', 'service'] }, { component: { type: 'browser', id: 'a' } }, false],
    [{ component_id: 'a' }, { component: { type: 'agent', id: 'a' } }, true],
    [{ component_id: 'b' }, { component: { type: 'agent', id: 'a' } }, false],
    [{ operation_id: 'o' }, { operation: 'o' }, true],
    [{ operation_id: 'o' }, { operation: 'x' }, false],
    [{ operation_id: 'o' }, {}, false],
    [{ trace_id: '1'.repeat(32) }, { trace: '1'.repeat(32) }, true],
    [{ trace_id: '1'.repeat(32) }, {}, false],
    [{ template_id: 'x' }, { template: 'x' }, true],
    [{ template_id: 'x' }, {}, false],
  ])('%j of %j: %s', (filter, log, wanted) => {
    expect(wants(filter, log)).toBe(wanted);
  });

  test('belong to a correlation by themselves or by their trace', () => {
    expect(wants({ correlation_id: 'c' }, {}, ['c', undefined])).toBe(true);
    expect(wants({ correlation_id: 'c' }, {}, [undefined, 'c'])).toBe(true);
    expect(wants({ correlation_id: 'c' }, {}, [undefined, 'd'])).toBe(false);
  });
});

test('texts and attributes are looked up as in paged queries', () => {
  const event = {
    message: 'Order LOST',
    data: { tries: 3, region: 'eu' },
    scope: { attributes: { region: 'us', zone: 'a' } },
    resource: { attributes: { 'service.name': 'shop' } },
  } as unknown as DebugEvent;
  const passes = (filter: LiveFilter) => compileFilter(filter).event?.(event) ?? true;
  expect(compileFilter({ q: 'lOsT' }).text).toBe('lost');
  expect(passes({ attributes: { tries: '3', region: 'eu', zone: 'a', 'service.name': 'shop' } })).toBe(true);
  expect(passes({ attributes: { region: 'us' } })).toBe(false);
  expect(passes({ attributes: { constructor: 'x' } })).toBe(false);
});

describe('insights', () => {
  const insight = {
    severity: 'critical',
    title: 'Store is slow',
    summary: 'p95 of 9 s',
    affected_components: [{ type: 'service', id: 'store' }],
    correlation_id: 'c',
    operation_id: null,
  } as unknown as Insight;

  test.each<[LiveFilter, boolean]>([
    [{}, true],
    [{ min_level: 'ERROR' }, true],
    [{ level: ['ERROR'] }, false],
    [{ level: ['CRITICAL'] }, true],
    [{ message_type: ['debug:insight'] }, true],
    [{ message_type: ['debug:alert'] }, false],
    [{ event_type: ['log'] }, false],
    [{ event_type: [] }, true],
    [{ component_type: ['service'] }, true],
    [{ component_type: ['agent'] }, false],
    [{ component_id: 'store' }, true],
    [{ component_id: 'shop' }, false],
    [{ correlation_id: 'c' }, true],
    [{ correlation_id: 'd' }, false],
    [{ operation_id: 'o' }, false],
    [{ q: 'SLOW' }, true],
    [{ q: 'p95' }, true],
    [{ q: 'fast' }, false],
    [{ attributes: { a: 'b' } }, false],
  ])('%j: %s', (filter, wanted) => {
    expect(compileFilter(filter).insight(insight, 'debug:insight')).toBe(wanted);
  });
});
