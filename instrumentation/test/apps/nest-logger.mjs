// What Nest's default logger is told: a line, an object, an error, and a stack as Nest 8 wanted it.

import { withOperation } from '@ai-debug/instrumentation';
import { Logger } from '@nestjs/common';

withOperation('n-1', () => {
  const logger = new Logger('Stock');
  logger.log('taking 7');
  logger.warn({ left: 0 });
  const error = new RangeError('no stock');
  logger.error(error);
  logger.error('told', error.stack);
});
