import { describe, expect, test } from 'vitest';
import { jsonToProtobuf, protobufToJson, REQUEST_SCHEMAS } from './json.ts';
import { decodeMessage } from './message.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const logRecord = (fields: string) => `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${fields}]}]}]}`;
const read = (json: string) =>
  decodeMessage(REQUEST_SCHEMAS.log, jsonToProtobuf('log', encode(json))).resourceLogs[0]?.scopeLogs[0]?.logRecords[0];
const attribute = (value: string) =>
  read(logRecord(`{"attributes":[{"key":"k","value":${value}}]}`))?.attributes[0]?.value?.value;

describe('what senders get away with', () => {
  test.each([
    ['{"intValue":"42"}', { case: 'intValue', value: 42n }],
    ['{"intValue":42}', { case: 'intValue', value: 42n }],
    ['{"intValue":9223372036854775807}', { case: 'intValue', value: 9223372036854775807n }],
    ['{"intValue":"-9223372036854775808"}', { case: 'intValue', value: -9223372036854775808n }],
    ['{"doubleValue":"NaN"}', { case: 'doubleValue', value: Number.NaN }],
    ['{"doubleValue":"-Infinity"}', { case: 'doubleValue', value: -Infinity }],
    ['{"doubleValue":"1.5"}', { case: 'doubleValue', value: 1.5 }],
    ['{"doubleValue":1e308}', { case: 'doubleValue', value: 1e308 }],
    ['{"boolValue":false}', { case: 'boolValue', value: false }],
    ['{"string_value":"s"}', { case: 'stringValue', value: 's' }],
    ['{"stringValue":""}', { case: 'stringValue', value: '' }],
    ['{"bytesValue":"AQI="}', { case: 'bytesValue', value: Uint8Array.of(1, 2) }],
    ['{}', { case: undefined }],
    ['{"stringValue":null}', { case: undefined }],
  ])('value %s', (json, expected) => expect(attribute(json)).toEqual(expected));

  test('snake_case, enum names, a byte order mark, unknown fields, null, upper-case hex', () => {
    const record = read(
      `\uFEFF{"resource_logs":[{"scope_logs":[{"x":1,"log_records":[{"severity_number":"SEVERITY_NUMBER_WARN","trace_id":"0AF7651916CD43DD8448EB211C80319C","body":null,"unknown":{"deep":[1]}}]}]}]}`,
    );
    expect(record).toMatchObject({ severityNumber: 13 });
    expect(record?.body).toBeUndefined();
    expect(record?.traceId.toHex()).toBe('0af7651916cd43dd8448eb211c80319c');
  });

  test.each(['"zz"', '"abc"', '""'])('id %s is left out', (id) =>
    expect(read(logRecord(`{"spanId":${id}}`))?.spanId.length).toBe(0),
  );

  test('__proto__ and constructor are keys like others', () => {
    const keys = read(
      logRecord(
        '{"attributes":[{"key":"__proto__","value":{"intValue":1}},{"key":"constructor","value":{"intValue":2}}],"__proto__":{"body":{"stringValue":"x"}}}',
      ),
    );
    expect(keys?.attributes.map(({ key }) => key)).toEqual(['__proto__', 'constructor']);
    expect(keys?.body).toBeUndefined();
  });

  test('a lone surrogate becomes U+FFFD', () =>
    expect(attribute('{"stringValue":"a\\ud800b"}')).toEqual({ case: 'stringValue', value: 'a\uFFFDb' }));
});

describe('what is refused, by path', () => {
  test.each([
    ['{', 'not JSON: '],
    ['{} x', 'not JSON: '],
    ['[]', 'the body: an array where an object belongs'],
    ['null', 'the body: null where an object belongs'],
    ['{"resourceLogs":{}}', 'resourceLogs: an object where an array belongs'],
    ['{"resourceLogs":[1]}', 'resourceLogs[0]: number 1 where an object belongs'],
    [
      logRecord('{"timeUnixNano":"soon"}'),
      'resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano: string soon where an integer belongs',
    ],
    [logRecord('{"timeUnixNano":-1}'), 'timeUnixNano: -1 is out of range'],
    [logRecord('{"timeUnixNano":"18446744073709551616"}'), 'is out of range'],
    [logRecord('{"severityNumber":"LOUD"}'), 'severityNumber: string LOUD where an integer belongs'],
    [logRecord('{"body":"text"}'), 'body: string text where an object belongs'],
    [logRecord('{"body":{"stringValue":1}}'), 'stringValue: number 1 where a string belongs'],
    [logRecord('{"body":{"bytesValue":"%"}}'), 'text that is not base64'],
  ])('%s', (json, message) => {
    expect(() => jsonToProtobuf('log', encode(json))).toThrow(
      expect.objectContaining({ code: 'MALFORMED', message: expect.stringContaining(message) }),
    );
  });
});

test('protobuf to JSON and back is the same protobuf', () => {
  const json = JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'traceId', value: { bytesValue: 'AQI=' } }] },
        scopeSpans: [
          {
            spans: [
              {
                traceId: '0af7651916cd43dd8448eb211c80319c',
                spanId: 'b7ad6b7169203331',
                kind: 2,
                startTimeUnixNano: '18446744073709551615',
                links: [{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203332' }],
              },
            ],
          },
        ],
      },
    ],
  });
  const bytes = jsonToProtobuf('span', encode(json));
  const back = protobufToJson('span', bytes);
  expect(jsonToProtobuf('span', encode(JSON.stringify(back)))).toEqual(bytes);
  expect(back).toMatchObject(JSON.parse(json));
});

test('the sign of -0 survives the way through JSON: it is part of what an id is made of', () => {
  const json =
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asDouble":-0,"attributes":[{"key":"k","value":{"doubleValue":"-0"}}]}]}}]}]}]}';
  const bytes = jsonToProtobuf('metric', encode(json));
  expect(jsonToProtobuf('metric', encode(JSON.stringify(protobufToJson('metric', bytes))))).toEqual(bytes);
  expect(bytes).not.toEqual(jsonToProtobuf('metric', encode(json.replaceAll('-0', '0'))));
});
