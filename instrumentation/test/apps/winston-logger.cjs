const winston = require('winston');
const { withCorrelation } = require('@ai-debug/instrumentation');

const { combine, errors, json, splat } = winston.format;
const transports = [new winston.transports.Console({ stderrLevels: ['info', 'error'], forceConsole: true })];
const format = combine(errors({ stack: true }), splat(), json());
const logger = winston.createLogger({ level: 'info', format, transports });
// A second logger on the same array of transports.
const other = winston.createLogger({ level: 'info', format, transports });

withCorrelation('w-1', () => {
  logger.info('hello %s', 'world', { user: { id: 5 } });
  logger.debug('not enabled');
  other.warn('from the other');
  logger.error(new TypeError('broken'));
  logger.child({ module: 'billing' }).info('from a child', { err: new RangeError('in meta') });
});
