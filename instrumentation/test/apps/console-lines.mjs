const error = new TypeError('broken');
error.stack = 'TypeError: broken\n    at console-lines.mjs:1:15';

console.log('log %d', 1, { a: ['b'] });
console.info('info');
console.debug('debug');
console.warn('warn');
console.error('failed:', error);
console.dir({ deep: { er: {} } }, { depth: 0 });
console.assert(false, 'claimed');
console.log({
  get value() {
    console.log('never read');
    return 1;
  },
  [Symbol.for('nodejs.util.inspect.custom')]() {
    console.log('getter read');
    return this.constructor === Object ? '{ value: [Getter] }' : '';
  },
});
