/**
 * Each kind of finding in a system that no analyzer was written for, beside its healthy twin, from outside: OTLP over HTTP in, insights over
 * REST out. What is found is judged as a stranger would: who is named, what it rests on, what to do, and that a second look adds
 * nothing.
 */
import { describe, expect, test } from 'vitest';
import type { Insight } from '../../model/insight.ts';
import type { JsonObject } from '../../model/json.ts';
import { type ApiClient, createApiClient } from '../support/api-client.ts';
import { startCollector } from '../support/collector.ts';
import { newId, OtlpStory } from '../support/otlp-story.ts';

type Tell = (story: OtlpStory, isFailing: boolean) => void;

interface Told {
  /** How one of the findings looks. */
  finds: object;
  /** Components that it names, the one to blame first. */
  names: string[];
  tell: Tell;
  ask?: JsonObject;
}

const JAVA =
  'java.sql.SQLTransientConnectionException: kein Platz\n\tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:696)\n\tat de.klinik.termin.TerminRepository.speichern(TerminRepository.java:88)';
const GO =
  'panic: runtime error: index out of range [5]\n\ngoroutine 17 [running]:\nmain.(*Router).assign(0xc000010000)\n\t/build/fleet/router.go:112 +0x1a5\n';

const FINDINGS: Record<string, Told> = {
  'a chain through spans, words in German, a Java stack': {
    finds: {
      insight_type: 'error',
      severity: 'critical',
      evidence: { numbers: { basis: 'spans', code: [{ line: 88 }] } },
    },
    names: ['termine', 'portal'],
    tell: (story, isFailing) =>
      times(12, (i) => {
        const trace = newId(16);
        const at = -300 + i * 20;
        const bad = isFailing && i % 2 === 0;
        const root = story.span('portal', at, 0.5, 'POST /termine', { trace, failed: bad && 'HTTP 500' });
        const call = story.span('portal', at + 0.1, 0.3, 'POST', {
          trace,
          parent: root,
          kind: 'client',
          failed: bad && '500',
        });
        const exception = { 'exception.type': 'SQLTransientConnectionException', 'exception.stacktrace': JAVA };
        const served = { trace, parent: call, failed: bad && 'Verbindung fehlgeschlagen', exception: bad && exception };
        const span = story.span('termine', at + 0.12, 0.25, 'buchen', served);
        if (bad) story.log('termine', at + 0.3, `Buchung ${i} fehlgeschlagen`, { severity: 'ERROR', trace, span });
        else story.log('termine', at + 0.3, `Buchung ${i} gespeichert`, { trace, span });
      }),
  },
  'a chain through lines of JSON without a severity, a Go stack': {
    finds: {
      insight_type: 'error',
      severity: 'critical',
      evidence: { numbers: { code: [{ file: '/build/fleet/router.go' }] } },
    },
    names: ['fleet', 'dispatch'],
    tell: (story, isFailing) =>
      times(10, (i) => {
        const at = -200 + i * 10;
        const line = (by: string, seconds: number, fields: JsonObject) =>
          story.log(by, seconds, JSON.stringify(fields), {
            severity: null,
            attributes: { correlation_id: `ride-${i}` },
          });
        line('dispatch', at, { level: 30, msg: 'ride requested' });
        if (isFailing) line('fleet', at + 1, { level: 50, msg: 'no vehicle', err: { type: 'Error', stack: GO } });
        line('dispatch', at + 2, isFailing ? { level: 50, msg: `no ride ${i}` } : { level: 30, msg: 'ride assigned' });
      }),
  },
  'the same error many times': {
    finds: { insight_type: 'error', title: '8 x Schublade klemmt an Kasse 7', occurrences: 8 },
    names: ['kasse'],
    tell: (story, isFailing) =>
      times(8, (i) => {
        const words = isFailing ? `Schublade klemmt an Kasse ${i}` : `Schublade an Kasse ${i} geschlossen`;
        story.log('kasse', -100 + i * 10, words, { severity: isFailing ? 'ERROR' : 'INFO' });
      }),
  },
  'a large share of CRITICAL': {
    finds: { insight_type: 'error', severity: 'critical', evidence: { numbers: { critical_rate: 0.5 } } },
    names: ['vault'],
    tell: (story, isFailing) => {
      for (const [i, words] of [
        'disk failing',
        'checksum bad',
        'quorum lost',
        'tape jammed',
        'fan off',
        'raid degraded',
      ].entries())
        story.log('vault', -100 + i, words, { severity: !isFailing ? 'WARN' : i < 3 ? 'FATAL' : 'ERROR' });
    },
  },
  'an operation that stands still': {
    finds: { insight_type: 'flow', severity: 'warning', evidence: { numbers: { block_duration_seconds: 99 } } },
    names: ['indexer', 'loader'],
    tell: (story, isFailing) => {
      const attributes = { correlation_id: 'lot-9' };
      story.log('loader', -300, 'chargement du lot 9', { attributes });
      story.log('indexer', -299, 'indexation commence', { attributes });
      story.log('loader', isFailing ? -200 : -290, 'lot 9 terminé', { attributes });
    },
  },
  'two operations that wait for each other': {
    finds: {
      insight_type: 'flow',
      severity: 'critical',
      title: 'Deadlock: transfer-A and transfer-B wait for each other',
    },
    names: ['ledger'],
    tell: (story, isFailing) => {
      const of = (operation: string, more: JsonObject) => ({
        attributes: { 'debug.operation_id': operation, ...more },
      });
      story.log('ledger', -100, 'acquired', of('transfer-A', { holds: 'acct:1' }));
      story.log('ledger', -99, 'acquired', of('transfer-B', { holds: 'acct:2' }));
      story.log('ledger', -98, 'blocked', of('transfer-A', { waiting_for: 'acct:2' }));
      if (isFailing) story.log('ledger', -97, 'blocked', of('transfer-B', { waiting_for: 'acct:1' }));
      else story.log('ledger', -97, 'done', of('transfer-B', { status: 'completed' }));
    },
  },
  'a workflow that fails too often': {
    finds: { insight_type: 'flow', evidence: { numbers: { failed_executions: 6 } } },
    names: ['nightly-etl'],
    tell: (story, isFailing) =>
      times(14, (i) => {
        const attributes = {
          'workflow.id': 'nightly-etl',
          'debug.operation_id': `run-${i}`,
          correlation_id: `run-${i}`,
        };
        const bad = isFailing && i < 6;
        story.log('airflow', -500 + i * 20, 'run started', { attributes });
        story.log('airflow', -498 + i * 20, bad ? 'load was refused' : 'run finished', {
          severity: bad ? 'ERROR' : 'INFO',
          attributes: { ...attributes, status: bad ? 'failed' : 'completed' },
        });
      }),
  },
  'a replica that holds another value since the last operation': {
    finds: { insight_type: 'consistency', severity: 'warning', title: 'n2 of service/cart diverged on stock.sku7.qty' },
    names: ['cart'],
    tell: (story, isFailing) =>
      times(4, (k) => {
        for (const [i, node] of ['n1', 'n2', 'n3'].entries())
          story.state(`cart@${node}`, -200 + k * 20 + i * 0.1, `sync-${k}`, {
            v: k,
            stock: { sku7: { qty: isFailing && k === 3 && node === 'n2' ? 4 : 5 + k } },
          });
      }),
  },
  'a replica that is missing': {
    finds: { insight_type: 'consistency', severity: 'warning', evidence: { numbers: { missing_components: ['n4'] } } },
    names: ['cart'],
    tell: (story, isFailing) =>
      times(4, (k) => {
        for (const node of ['n1', 'n2', 'n3', 'n4', 'n5'])
          if (!isFailing || k < 3 || node !== 'n4') story.state(`cart@${node}`, -200 + k * 20, `sync-${k}`, { v: k });
      }),
  },
  'a slow operation': {
    finds: { insight_type: 'performance', severity: 'warning', evidence: { numbers: { slowest_step: 'load tiles' } } },
    names: ['tiles'],
    tell: (story, isFailing) =>
      times(14, (i) => {
        const trace = newId(16);
        const took = isFailing ? 7.5 : 0.4;
        const root = story.span('render', -400 + i * 20, took, 'GET /karte', { trace });
        story.span('tiles', -400 + i * 20 + took * 0.05, took * 0.85, 'load tiles', { trace, parent: root });
      }),
  },
  'a step that got slower': {
    finds: { insight_type: 'performance', title: expect.stringContaining('service/suche got slower') },
    names: ['suche'],
    tell: (story, isFailing) =>
      times(60, (i) => {
        const took = (0.1 + (0.05 * ((i * 7919) % 97)) / 97) * (isFailing && i > 35 ? 1.8 : 1);
        story.span('suche', -600 + i * 9, took, 'suchen', { trace: newId(16) });
      }),
  },
  'a full resource': {
    finds: { insight_type: 'performance', severity: 'warning', evidence: { numbers: { threshold_percent: 80 } } },
    names: ['encoder'],
    tell: (story, isFailing) =>
      times(20, (i) =>
        story.gauge('encoder', -600 + i * 30, 'system.cpu.utilization', (isFailing ? 0.93 : 0.4) + (i % 3) / 100),
      ),
  },
  'memory near its limit, in bytes': {
    finds: { insight_type: 'performance', severity: 'warning', evidence: { numbers: { average_percent: 95 } } },
    names: ['worker'],
    tell: (story, isFailing) =>
      times(10, (i) => {
        story.gauge('worker', -300 + i * 30, 'container.memory.usage', isFailing ? 950e6 : 400e6, 'By');
        story.gauge('worker', -300 + i * 30, 'container.memory.limit', 1e9, 'By');
      }),
  },
  'a component that does far less than it did': {
    finds: { insight_type: 'performance', title: expect.stringContaining('service/feed does far less than usual') },
    names: ['feed'],
    tell: (story, isFailing) => {
      for (let minute = 20; minute >= 1; minute--)
        for (const by of ['feed', 'ads', 'chat'])
          times(isFailing && by === 'feed' && minute <= 4 ? 2 : 40, (i) =>
            story.log(by, -minute * 60 + i, `handled ${i}`),
          );
    },
  },
  'a larger share of failed spans': {
    finds: { insight_type: 'anomaly', severity: 'warning', title: 'service/geo fails more often than usual' },
    names: ['geo'],
    tell: (story, isFailing) => {
      for (let minute = 20; minute >= 1; minute--)
        times(20, (i) =>
          story.span('geo', -minute * 60 + i * 2.5, 0.05, 'lookup', {
            trace: newId(16),
            failed: isFailing && minute <= 3 && i % 3 === 0 && 'no route',
          }),
        );
    },
  },
  'words that were never said before': {
    finds: {
      insight_type: 'anomaly',
      severity: 'warning',
      title: expect.stringContaining('says something new: 引き出し'),
    },
    names: ['kasse'],
    ask: { time_range: '5m' },
    tell: (story, isFailing) => {
      for (let minute = 25; minute >= 1; minute--) {
        times(12, (i) => story.log('kasse', -minute * 60 + i * 4, `レシート ${i} 印刷済み`));
        if (isFailing && minute <= 2)
          times(4, (i) =>
            story.log('kasse', -minute * 60 + i * 5, `引き出し ${i} が開きません`, { severity: 'ERROR' }),
          );
      }
    },
  },
  'an operation that will fail again': {
    finds: { insight_type: 'prediction', evidence: { numbers: { failure_probability: 0.5 } } },
    names: ['drucker'],
    tell: (story, isFailing) =>
      times(24, (i) =>
        story.span('drucker', -600 + i * 20, 0.1, 'print label', {
          trace: newId(16),
          failed: isFailing && i < 12 && 'paper jam',
        }),
      ),
  },
  'a disk that fills up': {
    finds: {
      insight_type: 'prediction',
      severity: 'critical',
      title: expect.stringContaining('will be full in about 3'),
    },
    names: ['archive'],
    tell: (story, isFailing) =>
      times(200, (i) =>
        story.gauge(
          'archive',
          -7000 + i * 35,
          'system.filesystem.utilization',
          0.5 + (isFailing ? i * 0.0009 : 0) + (i % 5) / 1000,
        ),
      ),
  },
};

describe.each(Object.entries(FINDINGS))('%s', (_name, { finds, names, tell, ask = {} }) => {
  test('is found, by whom, with what it rests on and what to do; a second look adds nothing', async () => {
    await tellTo(tell, true, async (api) => {
      const found = await generate(api, ask);
      const seen = found.map(({ title, affected_components }) => [title, ...affected_components.map(({ id }) => id)]);
      expect(
        found.some((insight) => isLike(insight, finds, names)),
        JSON.stringify(seen, null, 2),
      ).toBe(true);
      for (const insight of found) await judge(api, insight);
      const again = await generate(api, ask);
      expect(again.map(briefly)).toEqual(found.map(briefly));
      expect((await api.get('/insights?limit=1000')).body.data).toHaveLength(found.length);
    });
  });

  test('its healthy twin is quiet', async () => {
    await tellTo(tell, false, async (api) => {
      const found = await generate(api, ask);
      expect(found.filter(({ severity }) => severity !== 'info')).toEqual([]);
    });
  });
});

test('what code handles is no trouble: an exception on a span that did not fail, an answer of 404, an attempt before the one that went well', async () => {
  const tell: Tell = (story) =>
    times(15, (i) => {
      const trace = newId(16);
      const at = -300 + i * 15;
      const root = story.span('geo', at, 1, 'resolve', { trace, attributes: { 'http.response.status_code': 200 } });
      const exception = { 'exception.type': 'CacheMiss', 'exception.message': 'not in cache' };
      story.span('geo', at + 0.05, 0.05, 'cache get', { trace, parent: root, kind: 'internal', exception });
      const missing = {
        trace,
        parent: root,
        kind: 'client' as const,
        attributes: { 'http.response.status_code': 404 },
      };
      story.span('geo', at + 0.2, 0.1, 'GET', { ...missing, failed: i % 4 === 0 && '404' });
      story.span('geo', at + 0.4, 0.1, 'SMTP', { trace, parent: root, kind: 'client', failed: 'timeout' });
      story.span('geo', at + 0.6, 0.1, 'SMTP', { trace, parent: root, kind: 'client' });
    });
  await tellTo(tell, true, async (api) => {
    const found = await generate(api, {});
    expect(found.filter(({ severity }) => severity !== 'info').map(({ title }) => title)).toEqual([]);
  });
});

async function tellTo(tell: Tell, isFailing: boolean, work: (api: ApiClient) => Promise<void>): Promise<void> {
  const collector = await startCollector({ 'insight-auto-generate': 'false' });
  try {
    const story = new OtlpStory();
    tell(story, isFailing);
    await story.sendTo(collector.otlpHttp);
    await work(await createApiClient(collector.http));
  } finally {
    await collector.stop();
  }
}

async function generate(api: ApiClient, ask: JsonObject): Promise<Insight[]> {
  const { status, body } = await api.post('/insights/generate', ask);
  expect(status).toBe(200);
  return body.data;
}

function isLike(insight: Insight, finds: object, names: string[]): boolean {
  try {
    expect(insight).toMatchObject(finds);
    return insight.affected_components.map(({ id }) => id).join() === names.join();
  } catch {
    return false;
  }
}

/** What holds of every insight. */
async function judge(api: ApiClient, insight: Insight): Promise<void> {
  const { evidence, suggestions, severity } = insight;
  expect(insight.confidence_score).toBeGreaterThanOrEqual(0.7);
  expect(insight.confidence_score).toBeLessThan(1);
  expect(evidence.event_ids.length + evidence.snapshot_ids.length).toBeGreaterThan(0);
  for (const id of evidence.event_ids.slice(0, 3)) expect((await api.get(`/events/${id}`)).status).toBe(200);
  if (severity !== 'info') expect(suggestions.length).toBeGreaterThan(0);
  for (const { action, why } of suggestions) expect([action, why].every((text) => text.length > 0)).toBe(true);
}

function briefly({ id, severity, occurrences, confidence_score }: Insight) {
  return { id, severity, occurrences, confidence_score };
}

function times(count: number, work: (i: number) => void): void {
  for (let i = 0; i < count; i++) work(i);
}
