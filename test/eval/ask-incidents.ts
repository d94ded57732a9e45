/** What the questions in words are asked of: recorded incidents, each in a tenant of its own, and a tenant of whom nothing is known. */
import { jsonToProtobuf } from '../../otlp/json.ts';
import type { PostedEvent } from '../../query/records.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';
import { bookingsCollide, carrierLost, memoryRunsOut, moduleSilent, rosterFails } from './ask-strangers.ts';
import {
  allIsWell,
  exportDenied,
  keysRefused,
  matchesFail,
  ordersRejected,
  robotStops,
  toolMisused,
  valvesStick,
} from './ask-trades.ts';
import { type Incident, incidents, Telling } from './incidents.ts';
import { telling } from './posted.ts';

/** By tenant: `shop`, `slow`, `ledger` and `queue` are services with traces; `agents`, `web`, `etl` and `fleet` are what was posted; `tickets` is both; `nobody` is empty; ask-trades.ts and ask-strangers.ts have the others. */
export async function startIncidents(): Promise<QuerySystem> {
  const system = await startQuerySystem();
  const now = Date.now();
  const [shop, slow, ledger] = incidents(now) as [Incident, Incident, Incident];
  const traced = {
    ...{ shop, slow, ledger, queue: queueStalls(now), tickets: poolExhausts(now) },
    ...{ iot: valvesStick(now), clinic: ordersRejected(now), arena: matchesFail(now), films: keysRefused(now) },
    ...{ parcels: carrierLost(now), gpu: memoryRunsOut(now), hotel: bookingsCollide(now) },
  };
  for (const [tenant, { bodies }] of Object.entries(traced))
    for (const { signal, body } of bodies)
      await system.send(signal, jsonToProtobuf(signal, Buffer.from(JSON.stringify(body))), tenant);
  const posted = {
    agents: agentEvents(now),
    web: certificateExpires(now),
    etl: diskFills(now),
    fleet: brokerResets(now),
    tickets: venuesImported(now),
    ...{ desk: toolMisused(now), nightly: exportDenied(now), calm: allIsWell(now), plant: robotStops(now) },
    ...{ bank: moduleSilent(now), rail: rosterFails(now) },
  };
  for (const [tenant, events] of Object.entries(posted)) await system.service.postEvents(tenant, events);
  await system.needs.settled();
  for (const tenant of new Set([...Object.keys(traced), ...Object.keys(posted)]))
    await system.service.generate(tenant, { time_range: '1h' });
  return system;
}

/** Invoices go through a queue until the ledger's table locks up; a slow mailer that is well; a cache whose nodes part. */
function queueStalls(nowMs: number): Incident {
  const told = new Telling('queue stalls', 4);
  for (let i = 1; i <= 100; i++) {
    const fails = i > 60;
    const id = `0b6c2f0e-6b1d-4c7a-9a59-${i.toString(16).padStart(12, '0')}`;
    const operation = told.operation(id, nowMs - 720_000 + i * 6000);
    const broker = operation.span('rabbit-broker', 'publish invoices.v2', 0, 900, {});
    broker.log(1, 9, `queue invoices.v2 holds ${40 + i} messages`, { 'messaging.destination.name': 'invoices.v2' });
    if (fails) broker.log(3, 13, `queue invoices.v2 above its high watermark: ${900 + 40 * i}`, {});
    const consumer = broker.span('billing.InvoiceConsumer', 'process invoices.v2', 20, 860, {
      fails: fails ? 'append failed' : undefined,
    });
    const append = consumer.span('billing.LedgerWriter', 'append entry', 30, 60, {
      fails: fails ? 'deadlock' : undefined,
    });
    if (fails)
      append.log(50, 17, 'deadlock detected while locking table ledger_entries', { 'db.system': 'postgresql' });
    else append.log(50, 9, `entry ${i} appended`, {});
    const mail = consumer.span('notify_gateway', 'send mail', 100, 700 + told.random(60), {});
    mail.log(600, 9, `mail for invoice ${i} handed to smtp`, {});
    if (fails) consumer.log(850, 17, `message ${i} moved to the dead letter queue invoices.dlq after 3 attempts`, {});
    for (const node of ['a', 'b'])
      broker
        .span('cache-node', 'warm', 5, 4, { node: `cache-node-${node}` })
        .snapshot(2, { epoch: node === 'b' && i > 50 ? 50 : i, size: 128 });
  }
  return told.incident();
}

/** A planner and its helpers: agent-123 fails always, workflow-789 times out, agent-7 is well, agent-900 went silent two days ago. */
function agentEvents(nowMs: number): PostedEvent[] {
  const { events, tell } = telling(nowMs);
  for (let i = 0; i < 20; i++) {
    tell(2 + i, 'agent', 'agent-123', 'ERROR', 'tool call web_search failed: 429 rate limit exceeded');
    tell(1 + i, 'agent', 'agent-7', 'INFO', `answered question ${i} with 3 tools`);
    tell(1.5 + i, 'service', 'vector-store', 'INFO', `retrieved ${i + 2} documents`);
  }
  for (let i = 0; i < 6; i++) {
    tell(30 - 4 * i, 'workflow', 'workflow-789', 'INFO', 'step fetch completed', {
      operation_id: `nightly-${i}`,
      data: { step: 'fetch', status: 'completed' },
    });
    tell(
      29 - 4 * i,
      'workflow',
      'workflow-789',
      'ERROR',
      'step summarize: timeout after 30000 ms waiting for the model',
      { operation_id: `nightly-${i}`, data: { step: 'summarize', status: 'failed' } },
    );
  }
  tell(6, 'workflow', 'workflow-12', 'INFO', 'step load completed', {
    operation_id: 'import-5',
    data: { step: 'load', status: 'completed' },
  });
  tell(5, 'workflow', 'workflow-12', 'INFO', 'step index half done', {
    operation_id: 'import-5',
    data: { step: 'index', progress: 0.3 },
  });
  for (let i = 0; i < 5; i++) tell(2880 + i, 'agent', 'agent-900', 'INFO', 'heartbeat of the crawler');
  return events;
}

/** One of two payment regions refuses every payment, and the page in the browser breaks over what it gets back. */
function certificateExpires(nowMs: number): PostedEvent[] {
  const { events, tell } = telling(nowMs);
  for (let i = 0; i < 18; i++) {
    const cart = { correlation_id: `cart:5f3a9c${i.toString(16).padStart(2, '0')}` };
    tell(19.9 - i, 'browser', 'web-checkout', 'INFO', `page /checkout shown in ${300 + i} ms`, cart);
    tell(19.8 - i, 'service', 'edge-proxy', 'INFO', 'POST /pay 200', cart);
    tell(19.7 - i, 'service', 'sessionStore', 'INFO', `session ${i} renewed`, cart);
    tell(19.6 - i, 'service', 'pay-us-east-1', 'INFO', `payment ${i} captured`, cart);
    if (i < 8) {
      tell(19.5 - i, 'service', 'pay-eu-west-1', 'INFO', `payment ${i} captured`, cart);
      continue;
    }
    tell(19.5 - i, 'service', 'pay-eu-west-1', 'ERROR', 'x509: certificate has expired or is not yet valid', cart);
    tell(
      19.4 - i,
      'browser',
      'web-checkout',
      'ERROR',
      "TypeError: cannot read properties of undefined (reading 'total')",
      cart,
    );
  }
  return events;
}

/** A nightly load runs out of disk, an agent out of context; a reindexing is under way; an index has recovered half an hour ago. */
function diskFills(nowMs: number): PostedEvent[] {
  const { events, tell, step } = telling(nowMs);
  tell(
    20,
    'workflow',
    'nightly-etl',
    'INFO',
    'extract completed',
    step('run_2026_07', { step: 'extract', status: 'completed' }),
  );
  for (let i = 0; i < 5; i++)
    tell(
      15 - i,
      'workflow',
      'nightly-etl',
      'ERROR',
      'load failed: no space left on device /var/lib/etl',
      step('run_2026_07', { step: 'load', status: 'failed' }),
    );
  tell(
    9,
    'workflow',
    'reindex-search',
    'INFO',
    'scan completed',
    step('reindex#42', { step: 'scan', status: 'completed' }),
  );
  tell(
    4,
    'workflow',
    'reindex-search',
    'INFO',
    'writing segments',
    step('reindex#42', { step: 'write', progress: 0.4 }),
  );
  for (let i = 0; i < 12; i++) {
    tell(
      2 + i,
      'agent',
      'research.planner',
      i % 2 === 0 ? 'ERROR' : 'INFO',
      i % 2 === 0 ? 'context length exceeded: 131072 tokens' : 'plan drafted',
    );
    tell(1 + i, 'agent', 'code-reviewer', 'INFO', `reviewed change ${i}`);
    tell(50 - i, 'service', 'geo-index', 'ERROR', 'shard 3 unreachable');
    tell(1.5 + 2 * i, 'service', 'geo-index', 'INFO', `shard ${i % 4} answered ${20 + i} look-ups`);
  }
  return events;
}

/** A bridge that lost its broker has come back; a planner is killed for its memory since; an assistant asks the same again and again. */
function brokerResets(nowMs: number): PostedEvent[] {
  const { events, tell } = telling(nowMs);
  for (let i = 0; i < 24; i++) {
    tell(24 - i, 'service', 'mqtt.bridge', 'INFO', `forwarded ${100 + i} positions`);
    tell(
      23.9 - i,
      'service',
      'Fleet.Api',
      i < 14 ? 'INFO' : 'WARNING',
      i < 14 ? `served ${i} vehicles` : 'stale positions of 48 vehicles',
    );
    tell(23.8 - i, 'service', 'telemetry-ingest', 'INFO', `stored batch ${i}`);
    tell(23.7 - i, 'browser', 'driver-app', 'INFO', 'map drawn');
    tell(23.6 - i, 'agent', 'ops_copilot', 'INFO', 'tool call list_vehicles {}');
    if (i >= 10 && i < 18) tell(24 - i, 'service', 'mqtt.bridge', 'ERROR', 'connection reset by peer broker-3:1883');
    if (i >= 18)
      tell(23.5 - i, 'service', 'route_planner', 'ERROR', 'OOMKilled: container exceeded its memory of 512Mi', {
        operation_id: `Tour/${i}`,
        data: { step: 'optimise', status: 'failed' },
      });
    else
      tell(23.5 - i, 'service', 'route_planner', 'INFO', `tour ${i} planned`, {
        operation_id: `Tour/${i}`,
        data: { step: 'optimise', status: 'completed' },
      });
  }
  return events;
}

/** A new version of the seats holds its connections: bookings become slow, then fail. A replica of the cache hears nothing any more. */
function poolExhausts(nowMs: number): Incident {
  const told = new Telling('pool exhausts', 5);
  for (let i = 1; i <= 100; i++) {
    const isNew = i > 60;
    const fails = i > 75 && i % 2 === 0;
    const seatsMs = isNew ? 1500 + told.random(500) : 30 + told.random(20);
    const version = { attributes: { 'app.version': isNew ? '1.3.0' : '1.2.0' } };
    const operation = told.operation(`booking-${i}`, nowMs - 720_000 + i * 6000);
    const gateway = operation.span('ticket-gateway', 'POST /bookings', 0, seatsMs + 80, {
      fails: fails ? 'HTTP 503' : undefined,
    });
    gateway.log(1, 9, `booking ${i} received`, { 'http.route': '/bookings' });
    const seats = gateway.span('seat-service', 'hold seats', 5, seatsMs, {
      ...version,
      fails: fails ? 'pool exhausted' : undefined,
    });
    if (isNew)
      seats.log(seatsMs - 10, 13, `waited ${seatsMs - 20} ms for a connection, pool 10 of 10 in use`, {
        'db.system': 'postgresql',
      });
    if (fails) {
      seats.log(seatsMs - 5, 17, 'connection pool exhausted: no connection within 1500 ms', {});
      gateway.log(seatsMs + 70, 17, `booking ${i} refused: seat-service answered 503`, {
        'http.response.status_code': 503,
      });
    } else {
      const payment = gateway.span('payment-service', 'charge card', seatsMs + 10, 40, {});
      payment.log(20, 9, `charged booking ${i}`, {});
    }
    for (const node of [1, 2, 3])
      seats
        .span('seat-cache', 'put hold', 6, 3, { node: `seat-cache-${node}` })
        .snapshot(1, { holds: node === 3 && i > 50 ? 50 : i });
  }
  return told.incident();
}

/** Beside the bookings: an import that is under way, one that hangs, a worker that is well. */
function venuesImported(nowMs: number): PostedEvent[] {
  const { events, tell } = telling(nowMs);
  const venues = { operation_id: 'import-venues' };
  tell(9, 'workflow', 'import-job', 'INFO', 'download completed', {
    ...venues,
    data: { step: 'download', status: 'completed' },
  });
  tell(7, 'workflow', 'import-job', 'INFO', 'parse completed', {
    ...venues,
    data: { step: 'parse', status: 'completed' },
  });
  tell(2, 'workflow', 'import-job', 'INFO', 'geocoding venues', {
    ...venues,
    data: { step: 'geocode', progress: 0.6 },
  });
  for (let i = 0; i < 10; i++) {
    tell(1 + i, 'service', 'payment-worker', 'INFO', `settled batch ${i}`);
    tell(
      1.5 + i,
      'browser',
      'ticket-web',
      i < 4 ? 'ERROR' : 'INFO',
      i < 4 ? 'checkout page shows 503' : 'seat map drawn',
    );
  }
  return events;
}
