import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { DebugError, ERROR_CODES } from '../base/errors.ts';
import { BadRequestSchema, RetryInfoSchema } from '../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../proto/gen/google/rpc/status_pb.js';
import { failureOf, shorten, statusJson, statusProtobuf, statusTrailers } from './status.ts';

describe('R17 R18 R19 R20 failureOf', () => {
  // OTLP: what an exporter retries, over HTTP and over gRPC (RESOURCE_EXHAUSTED only with a RetryInfo).
  const RETRYABLE_HTTP = [429, 502, 503, 504];
  const RETRYABLE_GRPC = [1, 4, 10, 11, 14, 15];

  it.each(ERROR_CODES)('%s is retryable on both transports or on none', (code) => {
    const failure = failureOf(new DebugError(code, 'x'));
    const retryable = failure.retryAfterSeconds !== undefined;
    expect(RETRYABLE_HTTP.includes(failure.httpStatus)).toBe(retryable);
    expect(RETRYABLE_GRPC.includes(failure.grpcCode) || (failure.grpcCode === 8 && retryable)).toBe(retryable);
  });

  it('makes only what may pass retryable, and our own bugs final', () => {
    const retryable = ERROR_CODES.filter(
      (code) => failureOf(new DebugError(code, 'x')).retryAfterSeconds !== undefined,
    );
    expect(retryable).toEqual(['THROTTLED', 'UNAVAILABLE', 'DISABLED']);
  });

  it('says of what is no DebugError only that it was ours', () => {
    expect(failureOf(new TypeError('secret is undefined'))).toMatchObject({
      httpStatus: 500,
      grpcCode: 13,
      message: 'internal error',
    });
    expect(failureOf('thrown')).toMatchObject({ httpStatus: 500, message: 'internal error' });
  });

  it('tells senders to wait as long as the error says, and never longer than they would', () => {
    expect(failureOf(new DebugError('UNAVAILABLE', 'x', { retryAfterSeconds: 3 })).retryAfterSeconds).toBe(3);
    expect(failureOf(new DebugError('UNAVAILABLE', 'x', { retryAfterSeconds: 60 })).retryAfterSeconds).toBe(5);
    expect(failureOf(new DebugError('MALFORMED', 'x', { retryAfterSeconds: 3 })).retryAfterSeconds).toBeUndefined();
  });

  it('is short and well-formed whatever the message quotes of the sender', () => {
    const { message } = failureOf(new DebugError('MALFORMED', `${'x'.repeat(1022)}😀${'y'.repeat(5000)}`));
    expect(message).toHaveLength(1024);
    expect(message.isWellFormed()).toBe(true);
    expect(() => encodeURI(message)).not.toThrow();
    expect(shorten('short')).toBe('short');
  });
});

describe('R15 R16 R21 google.rpc.Status', () => {
  const malformed = failureOf(
    new DebugError('INVALID', 'two fields', {
      fields: [
        { field: 'a.b', message: 'no' },
        { field: 'c', message: 'nor this' },
      ],
    }),
  );
  const throttled = failureOf(new DebugError('THROTTLED', 'slower', { retryAfterSeconds: 2 }));

  it('names the fields of a bad request', () => {
    const { details } = fromBinary(StatusSchema, statusProtobuf(malformed));
    expect(anyUnpack(details[0]!, BadRequestSchema)!.fieldViolations).toMatchObject([
      { field: 'a.b', description: 'no' },
      { field: 'c', description: 'nor this' },
    ]);
  });

  it('is protojson in JSON', () => {
    expect(JSON.parse(statusJson(throttled))).toEqual({
      code: 8,
      message: 'slower',
      details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2s' }],
    });
  });

  it('travels in both trailers, the second only where there is something to retry', () => {
    const trailers = statusTrailers(throttled);
    expect(fromBinary(StatusSchema, trailers.get('grpc-status-details-bin')!).message).toBe('slower');
    expect(fromBinary(RetryInfoSchema, trailers.get('google.rpc.retryinfo-bin')!).retryDelay!.seconds).toBe(2n);
    expect([...statusTrailers(malformed).keys()]).toEqual(['grpc-status-details-bin']);
  });
});
