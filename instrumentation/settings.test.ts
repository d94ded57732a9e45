import { describe, expect, it } from 'vitest';
import { settingsFrom } from './settings.ts';

describe('settings', () => {
  it('point to the local receiver, with the waits of a debugger, when nothing is set', () => {
    const settings = settingsFrom({});
    expect(settings.exports.traces).toEqual({
      enabled: true,
      protocol: 'http/protobuf',
      format: 'protobuf',
      url: 'http://127.0.0.1:4318/v1/traces',
      headers: {},
      compression: 'none',
      timeoutMs: 10_000,
      tls: {},
    });
    expect(settings.exports.logs.url).toBe('http://127.0.0.1:4318/v1/logs');
    expect(settings.spans).toEqual({ maxExportBatchSize: 512, scheduledDelayMillis: 1000 });
    expect(settings.metrics).toEqual({
      exportIntervalMillis: 10_000,
      exportTimeoutMillis: 10_000,
      temporality: 'cumulative',
    });
    expect(settings.disabled).toBe(false);
  });

  it.each([
    ['http://collector:4318', 'http://collector:4318/v1/logs'],
    ['http://collector:4318/', 'http://collector:4318/v1/logs'],
    ['https://host/base/path', 'https://host/base/path/v1/logs'],
    [' http://trimmed ', 'http://trimmed/v1/logs'],
    ['not a url', 'http://127.0.0.1:4318/v1/logs'],
    ['', 'http://127.0.0.1:4318/v1/logs'],
  ])('add the path of the signal to the common endpoint %j', (endpoint, url) => {
    expect(settingsFrom({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).exports.logs.url).toBe(url);
  });

  it("take a signal's own endpoint, protocol and headers before the common ones", () => {
    const { traces, logs } = settingsFrom({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://common',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://own/path',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_HEADERS: 'a=1, b = 2,broken,c=%zz',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'a=own%20one',
      OTEL_TRACES_EXPORTER: 'none',
    }).exports;
    expect(traces).toMatchObject({
      enabled: false,
      url: 'http://own/path',
      protocol: 'grpc',
      headers: { a: 'own one', b: '2' },
    });
    expect(logs).toMatchObject({ enabled: true, protocol: 'http/json', headers: { a: '1', b: '2' } });
  });

  it('fall back to the default for a number that is none', () => {
    const { spans, logs, metrics, exports } = settingsFrom({
      OTEL_BSP_SCHEDULE_DELAY: '-5',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '300',
      OTEL_BLRP_SCHEDULE_DELAY: 'soon',
      OTEL_EXPORTER_OTLP_TIMEOUT: 'never',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
    });
    expect(spans).toEqual({ scheduledDelayMillis: 1000, maxExportBatchSize: 300 });
    expect(logs).toMatchObject({ scheduledDelayMillis: 1000 });
    expect(exports.logs.timeoutMs).toBe(10_000);
    expect(metrics).toMatchObject({ exportIntervalMillis: 500, exportTimeoutMillis: 500 });
  });

  it('switch instrumentations off by name, or all but some', () => {
    const off = settingsFrom({ OTEL_NODE_DISABLED_INSTRUMENTATIONS: 'winston, console' });
    expect([off.isInstrumented('winston'), off.isInstrumented('console'), off.isInstrumented('http')]).toEqual([
      false,
      false,
      true,
    ]);
    const only = settingsFrom({ OTEL_NODE_ENABLED_INSTRUMENTATIONS: 'http' });
    expect([only.isInstrumented('http'), only.isInstrumented('pino')]).toEqual([true, false]);
  });
});
