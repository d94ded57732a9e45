import { describe, expect, it } from 'vitest';
import { createMeter } from '../base/meter.ts';
import { type AdmissionOptions, createAdmission } from './admission.ts';

const limits = { requestBytesMax: 60, inFlightBytesMax: 100, inFlightRequestsMax: 2 };
let nowMs = 0;
const clock = { nowNanos: () => 0n, monotonicMs: () => nowMs };

function admissionOf(more: Partial<AdmissionOptions> = {}) {
  return createAdmission({ ...limits, clock, meter: createMeter(), ...more });
}

const throttled = (retryAfterSeconds: number) => expect.objectContaining({ code: 'THROTTLED', retryAfterSeconds });

describe('admission', () => {
  it('bounds requests under way, and lets the next in when one leaves', () => {
    const admission = admissionOf();
    const first = admission.enter('a');
    admission.enter('a');
    expect(() => admission.enter('a')).toThrow(expect.objectContaining({ code: 'THROTTLED' }));
    first.leave();
    admission.enter('a');
  });

  it('refuses for good what is too large by itself, for now what is too much together', () => {
    const admission = admissionOf();
    const first = admission.enter('a');
    first.hold(50);
    first.hold(10);
    expect(() => first.hold(1)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    const second = admission.enter('a');
    second.hold(40);
    expect(() => second.hold(1)).toThrow(expect.objectContaining({ code: 'THROTTLED' }));
    first.leave();
    second.hold(20);
  });

  it('frees what was held once, however often a request leaves', () => {
    const admission = admissionOf();
    const [first, second] = [admission.enter('a'), admission.enter('a')];
    first.hold(60);
    second.hold(40);
    first.leave();
    first.leave();
    const third = admission.enter('a');
    third.hold(60);
    expect(() => third.hold(1)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    expect(() => second.hold(1)).toThrow(expect.objectContaining({ code: 'THROTTLED' }));
    expect(() => admission.enter('a')).toThrow(expect.objectContaining({ code: 'THROTTLED' }));
  });

  it('F28 refuses by looking, too, before anything is read', () => {
    const admission = admissionOf();
    const [first, second] = [admission.enter('a'), admission.enter('a')];
    expect(() => admission.check('b')).toThrow(throttled(1));
    first.leave();
    admission.check('b');
    second.leave();
  });
});

describe('F28 requests of which only the headers are there', () => {
  it('count as requests until they are released', () => {
    const admission = admissionOf();
    const [first, second] = [admission.expect('a'), admission.expect('a')];
    expect(() => admission.expect('b')).toThrow(throttled(1));
    first();
    first();
    const third = admission.enter('b');
    expect(() => admission.expect('b')).toThrow(throttled(1));
    second();
    admission.expect('b')();
    third.leave();
  });

  it('count with as many bytes as others lately had', () => {
    const admission = admissionOf();
    for (let i = 0; i < 100; i++) {
      const ticket = admission.enter('a');
      ticket.hold(60);
      ticket.leave();
    }
    const released = admission.expect('a');
    const ticket = admission.enter('a');
    expect(() => ticket.hold(60)).toThrow(throttled(1));
    released();
    ticket.hold(60);
    ticket.leave();
  });
});

describe('a tenant', () => {
  const none = { requestsMax: 0, bytesMax: 0, recordsPerSecond: 0, bytesPerSecond: 0 };

  it('has requests and bytes of its own, and others theirs', () => {
    const admission = admissionOf({ tenant: { ...none, requestsMax: 1, bytesMax: 50 } });
    const first = admission.enter('a');
    expect(() => admission.enter('a')).toThrow(throttled(1));
    first.hold(50);
    expect(() => first.hold(1)).toThrow(throttled(1));
    admission.enter('b').hold(50);
    first.leave();
    admission.enter('a').hold(50);
  });

  it('that brings more than its rate waits until it is paid off, and nobody else does', () => {
    const admission = admissionOf({ tenant: { ...none, recordsPerSecond: 10 } });
    const ticket = admission.enter('a');
    ticket.count(50);
    ticket.leave();
    expect(() => admission.enter('a')).toThrow(throttled(3));
    admission.enter('b').leave();
    nowMs += 3000;
    admission.enter('a').leave();
  });

  it('pays for bytes as they are after decompression', () => {
    const admission = admissionOf({ tenant: { ...none, bytesPerSecond: 10 } });
    const ticket = admission.enter('a');
    ticket.hold(30);
    ticket.count(1);
    ticket.leave();
    expect(() => admission.enter('a')).toThrow(throttled(1));
  });
});
