import { expect, test } from 'vitest';
import type { Insight } from '../../model/insight.ts';
import { alertChange } from './alert-change.ts';

const at = (minute: number) => `2026-11-22T10:${String(minute).padStart(2, '0')}:00.000000000Z`;
const insight = (minute: number, more: Partial<Insight> = {}) =>
  ({
    severity: 'warning',
    state: 'open',
    last_seen: at(minute),
    generated_at: at(minute),
    expires_at: '2026-12-22T10:00:00.000000000Z',
    ...more,
  }) as Insight;

test('what was not there is opened, also where what was there has expired', () => {
  expect(alertChange(null, insight(0))).toBe('opened');
  expect(alertChange(insight(0, { expires_at: at(1) }), insight(2))).toBe('opened');
});

test('42: the same again within the cooldown is no news; after twenty quiet minutes it is', () => {
  expect(alertChange(insight(0), insight(14))).toBe('updated');
  expect(alertChange(insight(0), insight(20))).toBe('recurred');
});

test('graver than before is news at once, milder is none', () => {
  expect(alertChange(insight(0), insight(1, { severity: 'critical' }))).toBe('worsened');
  expect(alertChange(insight(0, { severity: 'critical' }), insight(1))).toBe('updated');
});

test('what was resolved and is back has regressed', () => {
  expect(alertChange(insight(0, { state: 'resolved' }), insight(1, { state: 'regressed' }))).toBe('regressed');
});
