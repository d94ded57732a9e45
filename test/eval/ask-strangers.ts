/** Incidents that were written together with the questions of strangers: a shipper of parcels, a bank, a house that serves language models. */
import type { PostedEvent } from '../../query/records.ts';
import { type Incident, Telling } from './incidents.ts';
import { telling } from './posted.ts';

/** Parcels: the names of one carrier are no longer found since six minutes; a planner of routes is slower with a new version; a geocoder is asked too often. */
export function carrierLost(nowMs: number): Incident {
  const told = new Telling('carrier lost', 10);
  const carriers = ['fastship', 'postal', 'cargo'];
  for (let i = 1; i <= 115; i++) {
    const carrier = carriers[i % 3]!;
    const lost = i > 55 && carrier === 'fastship';
    const isNew = i > 40;
    const routeMs = isNew ? 420 + told.random(80) : 130 + told.random(30);
    const operation = told.operation(`PKG-${1000 + i}`, nowMs - 720_000 + i * 6000);
    const intake = operation.span('intake-api', 'POST /parcels', 0, routeMs + 200, {
      fails: lost ? 'HTTP 502' : undefined,
    });
    intake.log(1, 9, `parcel PKG-${1000 + i} taken in`, { carrier });
    const address = intake.span('address-validator', 'validate address', 5, 30, {});
    if (i % 5 === 0) address.log(10, 13, 'geocoder answered 429, trying again in 2 s', { 'http.status_code': 429 });
    intake.span('route-optimizer', 'plan route', 40, routeMs, {
      attributes: { 'app.version': isNew ? '7.2.0' : '7.1.3' },
    });
    const label = intake.span('label-printer', 'print label', routeMs + 50, 120, {
      fails: lost ? 'no label' : undefined,
    });
    const courier = label.span('courier-gateway', 'book shipment', routeMs + 60, 90, {
      fails: lost ? 'SERVFAIL' : undefined,
      attributes: { carrier },
    });
    if (lost) {
      courier.log(80, 17, 'dns lookup of api.fastship.example failed: SERVFAIL', { carrier });
      label.log(110, 17, `no label for PKG-${1000 + i}: courier answered 502`, { carrier });
    } else {
      courier.log(80, 9, `shipment booked with ${carrier}`, { carrier });
      label.log(110, 9, `label of PKG-${1000 + i} printed`, { carrier });
    }
  }
  return told.incident();
}

/** A bank: a module that signs answers no longer since four minutes; a list is too old; a run of statements is at a quarter; rates are silent for three hours; a page had trouble and is well again. */
export function moduleSilent(nowMs: number): PostedEvent[] {
  const { events, tell, step } = telling(nowMs);
  for (let i = 0; i < 24; i++) {
    tell(24 - i, 'service', 'core-ledger', 'INFO', `posted batch ${i} of 200 entries`);
    tell(23.8 - i, 'service', 'fraud-scorer', 'INFO', `scored transaction ${i} in ${30 + i} ms`);
    tell(23.6 - i, 'agent', 'kyc-agent', 'INFO', `document ${i} of applicant verified`);
    tell(
      23.5 - i,
      'service',
      'card-switch',
      i >= 20 ? 'CRITICAL' : 'INFO',
      i >= 20 ? 'HSM slot 2 not responding, authorisation declined' : `authorised payment ${i}`,
    );
    const noNetwork = i >= 8 && i < 12;
    tell(
      23.3 - i,
      'browser',
      'mobile-app',
      noNetwork ? 'ERROR' : 'INFO',
      noNetwork ? 'NetworkError when attempting to fetch resource' : 'account page shown',
    );
  }
  for (let i = 0; i < 3; i++)
    tell(
      18 - i,
      'workflow',
      'sanctions-screening',
      'ERROR',
      'sanctions list outdated: last update 9 days ago',
      step('screen-441', { step: 'load-list', status: 'failed' }),
    );
  tell(
    30,
    'workflow',
    'statement-run',
    'INFO',
    'accounts collected',
    step('statements-2026-11', { step: 'collect', status: 'completed' }),
  );
  tell(
    2,
    'workflow',
    'statement-run',
    'INFO',
    'rendering statements',
    step('statements-2026-11', { step: 'render', progress: 0.25 }),
  );
  for (let i = 0; i < 6; i++) tell(180 + i, 'service', 'fx-rates', 'INFO', `published ${30 + i} rates`);
  return events;
}

/** Language models: one of three workers ran out of memory for six minutes; well again since more than ten. */
export function memoryRunsOut(nowMs: number): Incident {
  const told = new Telling('memory runs out', 11);
  for (let i = 1; i <= 148; i++) {
    const node = ['a', 'b', 'c'][i % 3]!;
    const fails = i > 50 && i <= 85 && node === 'c';
    const operation = told.operation(`chat-${i}`, nowMs - 1_500_000 + i * 10_000);
    const generateMs = 900 + told.random(600);
    const router = operation.span('inference-router', 'POST /v1/chat/completions', 0, generateMs + 80, {
      fails: fails ? 'HTTP 500' : undefined,
    });
    router.log(1, 9, `chat ${i} routed to gpu-worker-${node}`, { model: i % 2 === 0 ? 'large' : 'small' });
    router.span('tokenizer', 'tokenize prompt', 4, 6, {}).log(2, 9, `prompt of ${100 + i} tokens`, {});
    router.span('vector-db', 'nearest neighbours', 12, 25, {});
    const worker = router.span('gpu-worker', 'generate tokens', 45, fails ? 60 : generateMs, {
      node: `gpu-worker-${node}`,
      fails: fails ? 'out of memory' : undefined,
    });
    if (fails) {
      worker.log(50, 17, 'CUDA out of memory: tried to allocate 2.4 GiB', { 'gpu.index': 0 });
      router.log(120, 17, `chat ${i} failed: worker answered 500`, { 'http.response.status_code': 500 });
    } else worker.log(generateMs - 5, 9, `generated ${200 + i} tokens`, { 'gpu.index': 0 });
  }
  return told.incident();
}

/** Rooms: of one channel two bookings in three collide since five minutes; what is free is looked up slower with a new version; batteries of locks are low. */
export function bookingsCollide(nowMs: number): Incident {
  const told = new Telling('bookings collide', 12);
  const channels = ['bookly', 'direct', 'tripster'];
  for (let i = 1; i <= 120; i++) {
    const channel = channels[i % 3]!;
    const collides = i > 68 && channel === 'bookly' && i % 2 === 0;
    const isNew = i > 50;
    const lookMs = isNew ? 260 + told.random(60) : 70 + told.random(20);
    const operation = told.operation(`rsv_${2000 + i}`, nowMs - 720_000 + i * 6000);
    const api = operation.span('reservation-api', 'PUT /reservations', 0, lookMs + 150, {
      fails: collides ? 'HTTP 409' : undefined,
    });
    api.log(1, 9, `reservation rsv_${2000 + i} requested`, { channel, 'room.class': i % 4 === 0 ? 'suite' : 'double' });
    api.span('availability-engine', 'find rooms', 5, lookMs, {
      attributes: { 'app.version': isNew ? '2.9.0' : '2.8.4' },
    });
    api.span('pricing-rules', 'apply rules', lookMs + 10, 15, {});
    const sync = api.span('channel-sync', 'push allotment', lookMs + 30, 80, {
      fails: collides ? 'conflict' : undefined,
      attributes: { channel },
    });
    if (collides) {
      sync.log(70, 17, 'optimistic lock failed: allotment version 17, expected 18', { channel });
      api.log(lookMs + 140, 17, `reservation rsv_${2000 + i} rejected: allotment conflict`, { channel });
    } else sync.log(70, 9, `allotment pushed to ${channel}`, { channel });
    const card = api.span('keycard-service', 'encode card', lookMs + 115, 20, {});
    if (i % 8 === 0) card.log(5, 13, `battery of lock ${100 + (i % 9)} below 10%`, {});
  }
  return told.incident();
}

/** A railway: a roster finds no driver, a timetable is nearly built, positions had no broker for five minutes and have it again, the weather is silent for five hours. */
export function rosterFails(nowMs: number): PostedEvent[] {
  const { events, tell, step } = telling(nowMs);
  for (let i = 0; i < 30; i++) {
    tell(29.9 - i, 'service', 'signal-controller', 'INFO', `route ${i} locked`);
    tell(
      29.7 - i,
      'service',
      'ticket-gate',
      i % 10 === 9 ? 'WARNING' : 'INFO',
      i % 10 === 9 ? 'gate 3 reader dirty' : `gate ${i % 5} opened`,
    );
    tell(29.5 - i, 'agent', 'dispatch-agent', 'INFO', `proposed ${i % 4} diversions`);
    const noBroker = i >= 15 && i < 20;
    tell(
      29.3 - i,
      'service',
      'gps-ingest',
      noBroker ? 'ERROR' : 'INFO',
      noBroker ? 'kafka: leader not available for partition positions-7' : `stored ${100 + i} positions`,
    );
    tell(29.2 - i, 'service', 'announcer', 'INFO', `announcement ${i} played`);
  }
  for (let i = 0; i < 4; i++)
    tell(
      12 - 2 * i,
      'workflow',
      'crew-roster',
      'ERROR',
      'no eligible driver for shift 4 on line S2',
      step('roster-12', { step: 'assign', status: 'failed' }),
    );
  tell(
    25,
    'workflow',
    'timetable-build',
    'INFO',
    'stations parsed',
    step('tt-2027', { step: 'parse', status: 'completed' }),
  );
  tell(
    3,
    'workflow',
    'timetable-build',
    'INFO',
    'optimising headways',
    step('tt-2027', { step: 'optimise', progress: 0.8 }),
  );
  for (let i = 0; i < 5; i++) tell(300 + i, 'service', 'weather-poller', 'INFO', 'forecast fetched');
  return events;
}
