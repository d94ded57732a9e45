import { describe, expect, it } from 'vitest';
import { createMeter } from '../base/meter.ts';
import { createAdmission } from './admission.ts';

const limits = { requestBytesMax: 60, inFlightBytesMax: 100, inFlightRequestsMax: 2 };

describe('admission', () => {
  it('bounds requests under way, and lets the next in when one leaves', () => {
    const admission = createAdmission({ ...limits, meter: createMeter() });
    const first = admission.enter();
    admission.enter();
    expect(() => admission.enter()).toThrow(expect.objectContaining({ code: 'THROTTLED' }));
    first.leave();
    admission.enter();
  });

  it('refuses for good what is too large by itself, for now what is too much together', () => {
    const admission = createAdmission({ ...limits, meter: createMeter() });
    const first = admission.enter();
    first.hold(50);
    first.hold(10);
    expect(() => first.hold(1)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    const second = admission.enter();
    second.hold(40);
    expect(() => second.hold(1)).toThrow(expect.objectContaining({ code: 'THROTTLED' }));
    first.leave();
    second.hold(20);
  });

  it('frees what was held once, however often a request leaves', () => {
    const admission = createAdmission({ ...limits, meter: createMeter() });
    const [first, second] = [admission.enter(), admission.enter()];
    first.hold(60);
    second.hold(40);
    first.leave();
    first.leave();
    const third = admission.enter();
    third.hold(60);
    expect(() => third.hold(1)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    expect(() => second.hold(1)).toThrow(expect.objectContaining({ code: 'THROTTLED' }));
    expect(() => admission.enter()).toThrow(expect.objectContaining({ code: 'THROTTLED' }));
  });
});
