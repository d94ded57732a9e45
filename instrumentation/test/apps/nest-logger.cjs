// What Nest's default logger is told: a line, an object, an error, and a stack as Nest 8 wanted it.

const { withOperation } = require('@ai-debug/instrumentation');
const { Logger } = require('@nestjs/common');

withOperation('n-1', () => {
  const logger = new Logger('Stock');
  logger.log('taking 7');
  logger.warn({ left: 0 });
  const error = new RangeError('no stock');
  logger.error(error);
  logger.error('told', error.stack);
});
