// CommonJS: bunyan.
const { withOperation } = require('@ai-debug/instrumentation');
const bunyan = require('bunyan');

const logger = bunyan.createLogger({ name: 'till', streams: [{ stream: process.stderr, level: 'info' }] });

withOperation('b-1', () => {
  logger.info({ user: { id: 5 } }, 'plain');
  logger.debug('not enabled');
  logger.child({ module: 'billing' }).warn('from a child');
  logger.error({ err: new Error('broken') }, 'failed');
});
