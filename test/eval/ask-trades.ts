/** Incidents of other trades than web shops, for questions of people who never saw ours. */
import type { PostedEvent } from '../../query/records.ts';
import { type Incident, Telling } from './incidents.ts';
import { telling } from './posted.ts';

/** Greenhouses: with new firmware the valves of the south no longer say where they stand; a weather service gives less than is asked for. */
export function valvesStick(nowMs: number): Incident {
  const told = new Telling('valves stick', 6);
  for (let i = 1; i <= 100; i++) {
    const zone = i % 2 === 0 ? 'south' : 'north';
    const sticks = i > 65 && zone === 'south';
    const valveMs = sticks ? 5000 : 120 + told.random(40);
    const operation = told.operation(`watering-${i}`, nowMs - 720_000 + i * 6000);
    const gateway = operation.span('sensor-gateway', 'ingest reading', 0, valveMs + 60, {});
    gateway.log(1, 9, `soil moisture ${20 + (i % 9)}% in bed ${i % 12}`, { zone });
    const controller = gateway.span('irrigation-controller', 'plan watering', 5, valveMs + 40, {
      fails: sticks ? 'actuator timed out' : undefined,
    });
    controller.span('device-registry', 'lookup device', 6, 3, {}).log(1, 9, `device d-${i % 12} found`, {});
    const weather = controller.span('weather-feed', 'GET /forecast', 10, 25, {});
    if (i > 30) weather.log(20, 13, 'rate limited by provider, using cached forecast', { 'retry.after_s': 60 });
    const valve = controller.span('valve-actuator', 'open valve', 38, valveMs, {
      node: `valve-actuator-${zone}`,
      attributes: { 'app.version': i > 65 ? '4.2.0' : '4.1.9', zone },
      fails: sticks ? 'no position feedback' : undefined,
    });
    if (sticks) {
      valve.log(4990, 17, 'valve stuck: no position feedback within 5000 ms', { zone });
      controller.log(5035, 17, `watering ${i} aborted: actuator timed out`, { zone });
    } else valve.log(100, 9, `valve of bed ${i % 12} open`, { zone });
  }
  return told.incident();
}

/** A hospital: the bridge to the laboratory no longer reads what it is sent; a board of beds parts; the archive of images is slow as ever. */
export function ordersRejected(nowMs: number): Incident {
  const told = new Telling('orders rejected', 7);
  for (let i = 1; i <= 90; i++) {
    const rejected = i > 55;
    const operation = told.operation(`lab-order-${i}`, nowMs - 720_000 + i * 6500);
    const record = operation.span('ehr-core', 'create order', 0, 2600, { fails: rejected ? 'HTTP 502' : undefined });
    record.log(1, 9, `order ${i} for ward ${i % 7}`, { ward: i % 7 });
    const lab = record.span('lab-orders', 'submit order', 10, 180, { fails: rejected ? 'NACK' : undefined });
    const bridge = lab.span('hl7-bridge', 'send ORM_O01', 20, 90, { fails: rejected ? 'parse error' : undefined });
    if (rejected) {
      bridge.log(80, 17, 'HL7 parse error: segment PID field 3 missing', { 'hl7.version': '2.5.1' });
      lab.log(170, 17, `order ${i} rejected by bridge: NACK AE`, {});
    } else bridge.log(80, 9, `acknowledged order ${i}`, { 'hl7.version': '2.5.1' });
    record.span('imaging-archive', 'store study', 200, 2100 + told.random(300), {}).log(5, 9, `study ${i} stored`, {});
    record.span('audit-writer', 'append audit', 2500, 6, {}).log(2, 9, `audit entry ${i} written`, {});
    for (const node of [1, 2, 3])
      record
        .span('bed-board', 'occupy bed', 210 + node, 4, { node: `bed-board-${node}` })
        .snapshot(1, { occupied: node === 2 && i > 40 ? 40 : i, beds: 120 });
  }
  return told.incident();
}

/** A game: no matches for three minutes, and again since; a new version of the ranks reads all of its table. */
export function matchesFail(nowMs: number): Incident {
  const told = new Telling('matches fail', 8);
  for (let i = 1; i <= 110; i++) {
    const noMatch = i > 30 && i <= 60;
    const isNew = i > 50;
    const operation = told.operation(`match-${i}`, nowMs - 690_000 + i * 6000);
    const lobby = operation.span('lobby', 'POST /queue', 0, 90 + (isNew ? 800 : 0), {
      fails: noMatch ? 'no match' : undefined,
    });
    lobby.log(1, 9, `player p-${1000 + i} queued for ranked`, { mode: 'ranked' });
    const matchmaker = lobby.span('matchmaker', 'find match', 3, 40, { fails: noMatch ? 'no capacity' : undefined });
    if (noMatch) matchmaker.log(35, 17, 'no region with free capacity for queue ranked', { mode: 'ranked' });
    else {
      matchmaker.log(30, 9, `match ${i} found in ${2 + (i % 5)} s`, {});
      const game = lobby.span('game-server', 'start session', 45, 30, { node: `game-server-${1 + (i % 4)}` });
      game.log(20, 9, `session ${i} started with 10 players`, {});
    }
    const ranks = lobby.span('leaderboard', 'update rank', 80, isNew ? 780 + told.random(80) : 12 + told.random(6), {
      attributes: { 'app.version': isNew ? '3.1.0' : '3.0.4' },
    });
    if (isNew) ranks.log(300, 13, 'sequential scan on ranks: 1204511 rows', { 'db.system': 'postgresql' });
    lobby.span('chat-relay', 'announce', 85, 2, {}).log(1, 9, `announced match ${i}`, {});
  }
  return told.incident();
}

/** Agents of a help desk: one calls its tool wrongly every time, the model's proxy is overloaded now and then, one refund waits for a person. */
export function toolMisused(nowMs: number): PostedEvent[] {
  const { events, tell, step } = telling(nowMs);
  for (let i = 0; i < 16; i++) {
    tell(2 + i, 'agent', 'triage-agent', 'INFO', `classified ticket ${4000 + i} as billing`);
    tell(
      1.5 + i,
      'agent',
      'billing-agent',
      'ERROR',
      "tool lookup_invoice failed: invalid arguments: missing property 'invoice_id'",
      { data: { 'gen_ai.tool.name': 'lookup_invoice' } },
    );
    tell(1.2 + i, 'service', 'kb-search', 'INFO', `found ${i} articles`);
    tell(
      1.1 + i,
      'agent',
      'summarizer',
      i < 4 ? 'WARNING' : 'INFO',
      i < 4 ? 'context window 92% full' : 'summary written',
    );
    tell(
      1 + i,
      'service',
      'llm-proxy',
      i % 4 === 0 ? 'ERROR' : 'INFO',
      i % 4 === 0 ? '529 overloaded_error from upstream' : 'completion of 812 tokens',
    );
  }
  for (let n = 1; n <= 6; n++) {
    const refund = `refund-100${n}`;
    tell(
      25 - n,
      'workflow',
      'refund-flow',
      'INFO',
      'refund verified',
      step(refund, { step: 'verify', status: 'completed' }),
    );
    if (n === 4)
      tell(
        14,
        'workflow',
        'refund-flow',
        'ERROR',
        'approval timed out after 600 s waiting for a human',
        step(refund, { step: 'approve', status: 'failed' }),
      );
    else
      tell(
        24 - n,
        'workflow',
        'refund-flow',
        'INFO',
        'refund approved',
        step(refund, { step: 'approve', status: 'completed' }),
      );
  }
  return events;
}

/** Jobs of a night: an export may not write, a clean-up is half way, a backup is done, a scoring has not run for three days. */
export function exportDenied(nowMs: number): PostedEvent[] {
  const { events, tell, step } = telling(nowMs);
  tell(
    40,
    'workflow',
    'export-to-s3',
    'INFO',
    'dump completed',
    step('export-2026-11', { step: 'dump', status: 'completed' }),
  );
  for (let i = 0; i < 6; i++)
    tell(
      12 - i,
      'workflow',
      'export-to-s3',
      'ERROR',
      'AccessDenied: s3:PutObject on bucket billing-archive',
      step('export-2026-11', { step: 'upload', status: 'failed' }),
    );
  tell(
    30,
    'workflow',
    'dedupe-customers',
    'INFO',
    'scan completed',
    step('dedupe-7', { step: 'scan', status: 'completed' }),
  );
  tell(
    3,
    'workflow',
    'dedupe-customers',
    'INFO',
    'merging duplicates',
    step('dedupe-7', { step: 'merge', progress: 0.4 }),
  );
  for (const name of ['lock', 'copy', 'verify'])
    tell(
      45,
      'workflow',
      'backup-db',
      'INFO',
      `${name} completed`,
      step('backup-88', { step: name, status: 'completed' }),
    );
  for (let i = 0; i < 20; i++) {
    tell(1 + 2 * i, 'service', 'scheduler', 'INFO', `tick ${i}: 4 jobs known`);
    tell(1.5 + 2 * i, 'service', 'warehouse', 'INFO', `query ${i} took ${200 + i} ms`);
  }
  for (let i = 0; i < 3; i++) tell(4320 + i, 'workflow', 'score-model', 'INFO', 'scored 10000 rows');
  return events;
}

/** Films: a key server's certificate is wrong for one film in three, and players say so; a transcoder falls behind all the time. */
export function keysRefused(nowMs: number): Incident {
  const told = new Telling('keys refused', 9);
  for (let i = 1; i <= 100; i++) {
    const refused = i > 50 && i % 3 === 0;
    const operation = told.operation(`play-${i}`, nowMs - 700_000 + i * 6500);
    const player = operation.span('player-api', 'GET /manifest', 0, 140, { fails: refused ? 'HTTP 403' : undefined });
    player.log(1, 9, `manifest of title ${i % 40} requested`, { 'client.region': i % 2 === 0 ? 'eu' : 'us' });
    const keys = player.span('drm-license', 'issue license', 10, 60, { fails: refused ? 'denied' : undefined });
    if (refused) {
      keys.log(50, 17, 'license denied: certificate chain not trusted', { drm: 'widevine' });
      player.log(130, 17, `playback of title ${i % 40} failed with code 3016`, {});
    } else keys.log(50, 9, `license ${i} issued`, { drm: 'widevine' });
    const origin = player.span('origin-shield', 'fetch segment', 75, 30, {});
    origin.log(5, i > 70 ? 13 : 9, i > 70 ? 'cache miss ratio 61% above 20%' : 'segment served from cache', {});
    const work = told.operation(`encode-${i}`, nowMs - 700_000 + i * 6500);
    const encoder = work.span('transcoder', 'encode chunk', 0, 3000 + i * 40, {});
    encoder.log(2900, 9, `chunk ${i} encoded, ${i * 3} waiting`, { 'queue.depth': i * 3 });
  }
  return told.incident();
}

/** Machines of a plant: a robot stops for its light curtain since six minutes; a gateway repeats itself; the historian is silent for two hours. */
export function robotStops(nowMs: number): PostedEvent[] {
  const { events, tell, step } = telling(nowMs);
  for (let i = 0; i < 20; i++) {
    tell(20 - i, 'service', 'plc-gateway', 'INFO', `polled 64 registers in ${10 + i} ms`);
    tell(
      19.8 - i,
      'service',
      'weld-robot-3',
      i >= 14 ? 'CRITICAL' : 'INFO',
      i >= 14 ? 'emergency stop: light curtain interrupted at cell 4' : `weld ${i} done`,
    );
    tell(19.7 - i, 'service', 'weld-robot-2', 'INFO', `weld ${i} done`);
    tell(
      19.6 - i,
      'service',
      'quality-camera',
      i % 5 === 0 ? 'WARNING' : 'INFO',
      i % 5 === 0 ? 'image too dark, exposure raised' : `part ${i} passed`,
    );
    if (i >= 14)
      tell(
        19.5 - i,
        'workflow',
        'line-controller',
        'ERROR',
        'station 4 blocked: no part for 60 s',
        step('batch-A17', { step: 'welding', status: 'failed' }),
      );
  }
  tell(
    18,
    'workflow',
    'line-controller',
    'INFO',
    'stamping completed',
    step('batch-A17', { step: 'stamping', status: 'completed' }),
  );
  tell(
    8,
    'workflow',
    'line-controller',
    'INFO',
    'painting at half',
    step('batch-A16', { step: 'painting', progress: 0.5 }),
  );
  for (let i = 0; i < 6; i++) tell(120 + i, 'service', 'historian', 'INFO', 'archived 5000 points');
  return events;
}

/** Nothing is wrong. */
export function allIsWell(nowMs: number): PostedEvent[] {
  const { events, tell } = telling(nowMs);
  for (let i = 0; i < 20; i++) {
    tell(1 + i / 2, 'service', 'catalog-api', 'INFO', `GET /items ${200 + i} items`);
    tell(1.2 + i / 2, 'service', 'search-api', 'INFO', `query answered in ${10 + i} ms`);
  }
  return events;
}
