// An AI agent's loop as the GenAI conventions describe it: a model call, a tool that works, a tool that fails.

import { operation } from '@ai-debug/instrumentation';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('agent');

const span = (name, attributes, fn, kind = SpanKind.INTERNAL) =>
  tracer.startActiveSpan(name, { attributes, kind }, async (span) => {
    try {
      return await fn();
    } catch (error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw error;
    } finally {
      span.end();
    }
  });

const tool = (name, fn) =>
  span(`execute_tool ${name}`, { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': name }, fn);

const answer = operation((question) => `question-${question.length}`)(async (question) =>
  span(
    'invoke_agent planner',
    { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'planner' },
    async () => {
      const model = {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'large',
        'gen_ai.provider.name': 'openai',
      };
      await span('chat large', model, async () => console.log(`planning for ${question}`), SpanKind.CLIENT);
      await tool('look-up', async () => 'found');
      await tool('book', async () => {
        throw new Error('the calendar refused the booking');
      });
    },
  ),
);

await answer('when can we meet?').catch((error) => console.error(error));
