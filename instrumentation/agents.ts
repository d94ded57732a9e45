import { type Span as ApiSpan, type Context, trace } from '@opentelemetry/api';

/**
 * The agent of the GenAI conventions is named on its own span (`invoke_agent`) only. What happens within (model calls, tools, lines)
 * is said by the same agent, so it bears the name too; another agent that is named within is its own.
 */
const AGENT_KEYS = ['gen_ai.agent.id', 'gen_ai.agent.name', 'gen_ai.conversation.id'] as const;

export function agentOf(ctx: Context): Record<string, string> | undefined {
  const span = trace.getSpan(ctx) as (ApiSpan & { attributes?: Record<string, unknown> }) | undefined;
  const attributes = span?.attributes;
  if (attributes === undefined) return undefined;
  let agent: Record<string, string> | undefined;
  for (const key of AGENT_KEYS) {
    const value = attributes[key];
    if (typeof value === 'string') (agent ??= {})[key] = value;
  }
  return agent;
}

export function isAgent(attributes: Record<string, unknown>): boolean {
  return attributes['gen_ai.agent.id'] !== undefined || attributes['gen_ai.agent.name'] !== undefined;
}
