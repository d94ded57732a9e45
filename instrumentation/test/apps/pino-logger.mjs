import { createServer, get } from 'node:http';
import { withOperation } from '@ai-debug/instrumentation';
import { pino } from 'pino';

const logger = pino({ redact: ['user.password'] }, pino.destination(2));

if (process.argv[2] === 'own-id') {
  const server = createServer((_request, response) => {
    logger.info({ correlationId: 'mine' }, 'own');
    logger.info({ trace_id: 'of-the-app' }, 'traced by the app');
    response.end(() => server.close());
  });
  server.listen(0, '127.0.0.1', () => get({ port: server.address().port, agent: false }, (reply) => reply.resume()));
} else {
  withOperation('p-1', () => {
    logger.info({ user: { id: 5, password: 'hunter2' } }, 'plain');
    logger.debug('not enabled');
    logger.child({ module: 'billing' }).warn('from a child');
    logger.error(new Error('broken'));
    pino({ timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'message', base: null }, pino.destination(2)).fatal(
      '',
    );
  });
}
