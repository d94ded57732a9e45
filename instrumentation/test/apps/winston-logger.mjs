import { createLogger, transports } from 'winston';

createLogger({ transports: [new transports.Console()] }).info('from a module');
