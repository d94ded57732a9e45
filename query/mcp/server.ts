/** An MCP server with our tools, for one request or one connection: never shared between clients (CVE-2026-25536 was that). */
import { type CallToolResult, McpServer } from '@modelcontextprotocol/server';
import { DebugError } from '../../base/errors.ts';
import type { AgentAnswer } from '../budget.ts';
import { budgetOf, clip } from '../budget.ts';
import { estimateTokens } from '../tokens.ts';
import { INSTRUCTIONS, TOOLS, type Tool } from './tools.ts';

/** Answers a call, or throws a DebugError, whose words the agent is told. @param input as the tool's schema parsed it */
export type CallTool = (tool: Tool, input: Record<string, unknown>) => Promise<CallToolResult>;

export function createToolServer(version: string, call: CallTool): McpServer {
  const server = new McpServer({ name: 'ai-debug', version }, { instructions: INSTRUCTIONS });
  for (const tool of TOOLS) {
    const { name, description, input, annotations } = tool;
    server.registerTool(name, { description, inputSchema: input, annotations }, async (given) => {
      try {
        return await call(tool, given);
      } catch (error) {
        if (error instanceof DebugError && error.code !== 'INTERNAL') return failed(error);
        throw error;
      }
    });
  }
  return server;
}

/** How much of a budget the line of text beside the structure may take; 0: it is too small for both. */
export function reservedOf(budget_tokens: unknown): number {
  const budget = budgetOf(budget_tokens as number | undefined);
  return budget < LINE_BUDGET_MIN ? 0 : Math.min(LINE_TOKENS_MAX, Math.floor(budget / 5));
}

/**
 * The whole answer is the structure; beside it stands one line for hosts that show text alone, not the same JSON again, which would
 * halve what a budget buys. The line is paid for out of the budget.
 */
export function toolResult(answer: AgentAnswer, budget_tokens: unknown): CallToolResult {
  const reserved = reservedOf(budget_tokens);
  let line = answer.answer;
  while (reserved > 0 && estimateTokens(line) > reserved) line = clip(line, Math.floor(line.length * 0.8));
  return { content: reserved === 0 ? [] : [{ type: 'text', text: line }], structuredContent: { ...answer } };
}

// One or two sentences: enough for a host that shows nothing else.
const LINE_TOKENS_MAX = 60;
const LINE_BUDGET_MIN = 200;

function failed({ message, reason, code, retryAfterSeconds }: DebugError): CallToolResult {
  const retry = retryAfterSeconds === undefined ? '' : ` Try again in ${retryAfterSeconds} s.`;
  return { isError: true, content: [{ type: 'text', text: `${reason ?? code}: ${clip(message, 500)}${retry}` }] };
}
