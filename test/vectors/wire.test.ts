/** The vectors of the OTLP specification, the Collector and Jaeger: JSON bodies and their protobuf twins give identical events. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeIndex, decodePayload, type Signal } from '../../model/block.ts';
import { buildBlock } from '../../model/block-builder.ts';
import type { DebugEvent } from '../../model/event.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import { readBlock } from '../../otlp/read.ts';
import { indexRequest } from '../../otlp/walk.ts';

const folder = join(process.env.DEBUG_TEST_DATA ?? join(import.meta.dirname, '../../../shared/datasets'), 'otlp-wire');
const vectors = existsSync(folder) ? globSync(join(folder, '*/*.json')).sort() : [];

describe.skipIf(vectors.length === 0)(`wire vectors (set DEBUG_TEST_DATA where ${folder} is absent)`, () => {
  test.each(vectors.map((path) => [basename(path, '.json'), path]))('%s', (_name, path) => {
    const json = readFileSync(path);
    const signal = signalOf(json.toString());
    const fromJson = eventsOf(signal, jsonToProtobuf(signal, json));
    const twin = path.replace(/\.json$/, '.binpb');
    if (existsSync(twin)) expect(fromJson).toEqual(eventsOf(signal, readFileSync(twin)));
    for (const event of fromJson) expect(event.id).toMatch(/^[0-9a-f]{32}$/);
  });

  test('the specification examples are read whole', () => {
    const read = (name: string) => {
      const json = readFileSync(join(folder, 'spec', `${name}.json`));
      const signal = signalOf(json.toString());
      return eventsOf(signal, jsonToProtobuf(signal, json));
    };
    expect(read('trace').map(({ event_type, span_id }) => [event_type, span_id])).toEqual([
      ['span', 'eee19b7ec3c1b174'],
    ]);
    expect(
      read('metrics')
        .map(({ metric }) => metric?.type)
        .sort(),
    ).toEqual(['exponential_histogram', 'gauge', 'histogram', 'sum']);
    expect(read('logs').map(({ level }) => level)).toEqual(['INFO']);
    expect(read('events').map(({ log }) => log?.event_name !== undefined && log.body !== undefined)).toEqual([true]);
  });
});

function signalOf(json: string): Signal {
  if (/resourceSpans|resource_spans/.test(json)) return 'span';
  return /resourceMetrics|resource_metrics/.test(json) ? 'metric' : 'log';
}

function eventsOf(signal: Signal, body: Uint8Array): DebugEvent[] {
  const { records } = indexRequest(signal, body);
  if (records.length === 0) return [];
  const block = buildBlock('default', 0, '2026-01-01', records);
  const found = readBlock(decodeIndex(block.index), decodePayload(block.payload));
  return Array.from({ length: found.count }, (_, i) => found.event(i, () => undefined));
}
