import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Heap } from './heap.ts';

it('a heap gives its items back in order, whatever was pushed, popped and replaced between', () => {
  const step = fc.oneof(fc.integer(), fc.constant('pop' as const), fc.record({ replace: fc.integer() }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new Heap<number>((a, b) => a < b);
      const model: number[] = [];
      for (const one of steps) {
        if (one === 'pop') expect(heap.pop()).toBe(model.shift());
        else if (typeof one === 'number') {
          heap.push(one);
          model.push(one);
        } else if (heap.size > 0) {
          heap.replaceTop(one.replace);
          model[0] = one.replace;
        }
        model.sort((a, b) => a - b);
        expect(heap.size).toBe(model.length);
        expect(heap.top).toBe(model[0]);
      }
      while (model.length > 0) expect(heap.pop()).toBe(model.shift());
      expect(heap.pop()).toBeUndefined();
    }),
  );
});
