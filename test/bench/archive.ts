/**
 * What the tiers cost once data rests in them: bytes an event in warm and cold, records a second into the archive and back, how long the
 * event loop is held meanwhile; what merging does for a quiet hour; how many files a look-up over a month opens.
 *
 *   node test/bench/archive.ts [--json FILE] [FILES of OTLP/JSON lines, plain, gzip or zstd]
 *
 * Without files the telemetry is generated, which compresses better than real data.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import type { Clock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { describe, readLines, shiftTimes, timesOf } from '../../commands/otlp-lines.ts';
import {
  type Block,
  blockKey,
  compressBlockSync,
  decodeIndex,
  decodePayload,
  encodePayload,
} from '../../model/block.ts';
import { BlockBuilder } from '../../model/block-builder.ts';
import { dayOf, NANOS_PER_DAY, NANOS_PER_MS } from '../../model/time.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { createArchive } from '../../storage/archive/archive.ts';
import { emptyFlush, type FileTally, type Flush, type WarmStore } from '../../storage/contract.ts';
import { createEmbeddedStore } from '../../storage/embedded/store.ts';
import { createMerger } from '../../storage/merge.ts';
import { createRetention } from '../../storage/retention.ts';
import { createTiers } from '../../storage/tiers.ts';
import { createPayload } from './payloads.ts';

const NOON = 1_768_478_400_000_000_000n;
const DAY = '2026-01-15';
const RECORDS_AT_ONCE = 512;
const GENERATED_REQUESTS = 100;

let now = NOON;
const clock: Clock = { nowNanos: () => now++, monotonicMs: () => performance.now() };
const shared = { clock, log: createLogger('silent'), meter: createMeter() };
const figures: Record<string, Record<string, number>> = {};

async function main(files: string[], jsonFile: string | undefined): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ai-debug-bench-'));
  try {
    await benchArchive(join(folder, 'archive'), files);
    await benchMerge(join(folder, 'merge'));
    await benchLookUp(join(folder, 'look-up'));
  } finally {
    await rm(folder, { recursive: true });
  }
  if (jsonFile !== undefined) await writeFile(jsonFile, `${JSON.stringify(figures, null, 2)}\n`);
}

async function benchArchive(folder: string, files: readonly string[]): Promise<void> {
  const { warm, cold, close } = await open(folder);
  const empty = await warm.diskBytes();
  let records = 0;
  const resources = new ResourceBytes();
  for await (const block of files.length === 0 ? generated() : recorded(files)) {
    records += block.count;
    resources.add(block);
    await warm.commit(flushOf([block]));
  }
  const warmBytes = (await warm.diskBytes()) - empty;
  now = NOON + 20n * NANOS_PER_DAY;
  const keep = { retentionNanos: 7n * NANOS_PER_DAY, archiveRetentionNanos: 90n * NANOS_PER_DAY };
  const retention = createRetention({ warm, cold, archives: true, ...keep, ...shared });
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  const archivedMs = await timed(() => retention.run());
  lag.disable();
  const coldBytes = (await cold.days()).reduce((total, { bytes }) => total + bytes, 0);
  const restoredMs = await timed(() => retention.restore(DAY, 1));
  report('archive', {
    records,
    warm_bytes_per_record: warmBytes / records,
    cold_bytes_per_record: coldBytes / records,
    archived_records_per_second: records / (archivedMs / 1000),
    restored_records_per_second: records / (restoredMs / 1000),
    loop_delay_p99_ms: lag.percentile(99) / 1e6,
    loop_delay_max_ms: lag.max / 1e6,
  });
  report('resources and scopes', resources.perRecord(records));
  await close();
}

/** One request of ten records a second, for an hour. */
async function benchMerge(folder: string): Promise<void> {
  now = NOON + 2n * 3_600_000n * NANOS_PER_MS;
  const { warm, cold, close } = await open(folder);
  for (let second = 0; second < 3600; second += 60) {
    const blocks = Array.from({ length: 60 }, (_, i) => quietBlock(second + i));
    await warm.commit(flushOf(blocks));
  }
  const { reader } = createTiers({ hot: null, warm, cold, ...shared });
  const measure = async (): Promise<Record<string, number>> => {
    const fresh = createTiers({ hot: null, warm, cold, ...shared }).reader;
    const end = NOON + 3_600_000n * NANOS_PER_MS;
    const page = { tenant: 'default', limit: 100 };
    let counted = 0;
    return {
      blocks: (await Array.fromAsync(warm.blocks({ tenant: 'default' }))).length,
      file_bytes: await warm.diskBytes(),
      page_of_none_that_match_ms: await median(() =>
        createTiers({ hot: null, warm, cold, ...shared }).reader.events({
          ...page,
          event_types: ['log'],
          min_level: 'ERROR',
        }),
      ),
      count_an_hour_ms: await timed(() => fresh.scan({ tenant: 'default', start: NOON, end }, () => void counted++)),
      correlation_ms: await median(() => reader.events({ ...page, correlation_id: 'none such' })),
      records: counted,
    };
  };
  report('quiet hour, before merging', await measure());
  const merger = createMerger({ warm, settleMs: 0, ...shared });
  const mergedMs = await timed(() => merger.run());
  await warm.forgetReplaced(now + 1n);
  await warm.giveBack();
  report('quiet hour, merged', { ...(await measure()), merge_ms: mergedMs });
  await close();
}

/** A month of hours, one block each: what a look-up opens of them. */
async function benchLookUp(folder: string): Promise<void> {
  const { cold, close } = await open(folder);
  let key = 0n;
  for (let hour = 0; hour < 30 * 24; hour++) {
    const time = NOON - BigInt(hour) * 3_600_000n * NANOS_PER_MS;
    const block = blockOf('span', createPayload('span', hour % 8, 20).stamped(hour + 1, time), dayOf(time));
    if (hour === 300) key = block.keys.at(-1)!;
    const found = { ...block, payload: async () => block.payload };
    await cold.put(found);
  }
  await cold.seal();
  const look = (keys: bigint[], tally?: FileTally) => Array.fromAsync(cold.blocks({ tenant: 'default', keys }, tally));
  const [known, unknown] = [0, 0].map((): FileTally => ({ considered: 0, opened: 0 }));
  const firstMs = await timed(() => look([key], known));
  const againMs = await median(() => look([key]));
  await look([blockKey('correlation', 'no such')], unknown);
  report('look-up in a month of hourly files', {
    files: (await cold.days()).reduce((total, { files }) => total + files, 0),
    considered: known!.considered,
    opened_for_a_known_key: known!.opened,
    opened_for_an_unknown_key: unknown!.opened,
    first_ms: firstMs,
    again_ms: againMs,
  });
  await close();
}

async function open(folder: string) {
  const warm: WarmStore = createEmbeddedStore({ directory: folder, ...shared });
  const cold = createArchive({ url: `file:${join(folder, 'archive')}`, ...shared });
  await warm.start();
  await cold.start();
  const close = async () => {
    await cold.stop();
    await warm.stop();
  };
  return { warm, cold, close };
}

async function* generated(): AsyncGenerator<Block> {
  for (let i = 0; i < GENERATED_REQUESTS; i++) {
    const signal = i % 2 === 0 ? 'span' : 'log';
    yield blockOf(signal, createPayload(signal, i % 8).stamped(i + 1, NOON + BigInt(i) * 10n * 1_000n * NANOS_PER_MS));
  }
}

/** In blocks of RECORDS_AT_ONCE or the next whole request, moved to the day as a whole. */
async function* recorded(files: readonly string[]): AsyncGenerator<Block> {
  const builder = new BlockBuilder(4096);
  for (const file of files) {
    let shift: bigint | undefined;
    for await (const { text } of readLines(file)) {
      const [first] = timesOf(text);
      shift ??= first === undefined ? 0n : NOON - first;
      const moved = shiftTimes(text, shift);
      const { signal } = describe(moved);
      const { records } = indexRequest(signal, jsonToProtobuf(signal, Buffer.from(moved)));
      builder.begin(records, NOON);
      for (let row = 0; row < records.length; row++) {
        builder.add(row, null);
        if (builder.count < RECORDS_AT_ONCE) continue;
        yield built(builder);
        builder.begin(records, NOON);
      }
    }
    if (builder.count > 0) yield built(builder);
  }
}

function quietBlock(second: number): Block {
  const time = NOON + BigInt(second) * 1_000n * NANOS_PER_MS;
  return blockOf('log', createPayload('log', second % 8, 10).stamped(second + 1, time));
}

function blockOf(signal: 'span' | 'log', body: Uint8Array, day = DAY): Block {
  const { records } = indexRequest(signal, body);
  const builder = new BlockBuilder(records.length);
  builder.begin(records, NOON);
  for (let row = 0; row < records.length; row++) builder.add(row, null);
  return built(builder, day);
}

function built(builder: BlockBuilder, day = DAY): Block {
  const block = compressBlockSync(builder.build('default', 0, day));
  builder.clear();
  return block;
}

function flushOf(blocks: readonly Block[]): Flush {
  return { ...emptyFlush('default'), blocks };
}

/** What blocks take for their resources and scopes: what a dictionary of them would save at most, but for its own rows and references. */
class ResourceBytes {
  #payload = 0;
  #without = 0;
  #envelopes = 0;

  add(block: Block): void {
    const { header } = decodeIndex(block.index);
    const payload = decodePayload(block.payload);
    const kept = Buffer.from(payload);
    const gone = new Uint8Array(payload.length);
    for (const { resourceStart, resourceLength, scopeStart, scopeLength } of header.envelopes) {
      gone.fill(1, resourceStart, resourceStart + resourceLength);
      gone.fill(1, scopeStart, scopeStart + scopeLength);
    }
    this.#payload += block.payload.length;
    this.#without += encodePayload(kept.filter((_, i) => gone[i] === 0)).length;
    this.#envelopes += header.envelopes.length;
  }

  perRecord(records: number): Record<string, number> {
    return {
      payload_bytes_per_record: this.#payload / records,
      of_resources_and_scopes: (this.#payload - this.#without) / records,
      records_per_resource_and_scope: records / this.#envelopes,
    };
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function median(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 9; i++) times.push(await timed(work));
  return times.sort((a, b) => a - b)[4]!;
}

function report(name: string, values: Record<string, number>): void {
  figures[name] = values;
  const rows = Object.entries(values).map(
    ([key, value]) => `  ${key.padEnd(32)} ${value.toLocaleString('en', { maximumFractionDigits: 1 })}`,
  );
  process.stdout.write(`${name}\n${rows.join('\n')}\n\n`);
}

const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
await main(positionals, values.json);
