const debug = require('@ai-debug/instrumentation');

// A state that says when it is read.
const state = Object.defineProperty({}, 'stock', { enumerable: true, get: () => console.log('read') });
const stop = debug.trackState('tracked', () => state, { everyMs: 1 });
debug.snapshot('cart', state);
debug.snapshot(state);
const message = debug.carry({ order: 7 });
const ship = debug.operation((order) => order.id)(function (order) {
  return [this.name, order.id];
});
const results = [
  debug.withOperation('op', () => 1),
  debug.withCorrelation('c', () => 2),
  debug.resume('work', message, () => 3),
  ...ship.call({ name: 'ann' }, { id: 'o-1' }),
];
setTimeout(() => {
  stop();
  console.log(JSON.stringify(results));
}, 20);
