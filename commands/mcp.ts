/**
 * `ai-debug mcp`: the tools over standard input and output, for hosts that start their servers themselves. It holds nothing: every
 * call goes to a running server, so that any number of hosts share one store. It comes up without one, as hosts give
 * up on a server that does not; a call then says what to start.
 */
import type { CallToolResult } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { VERSION } from '../base/version.ts';
import { createToolServer } from '../query/mcp/server.ts';
import { type CommandContext, EXIT, UnreachableError } from './command.ts';
import { ASKING_HELP, parseAsking, Refused, type Server, serverOf } from './server.ts';

export const MCP_HELP = `ai-debug mcp serves the tools of an ai-debug server over standard input and output (Model Context Protocol).

For a host's settings:  { "command": "npx", "args": ["-y", "ai-debug", "mcp"] }
A host that speaks HTTP needs no process:  http://127.0.0.1:4319/mcp

${ASKING_HELP}
Exit code 0: its host is done. 2: usage. 3: no server answers.
`;

export async function mcp(context: CommandContext, args: string[]): Promise<number> {
  const { values } = parseAsking(args, {});
  if (values.help) {
    context.stdout.write(MCP_HELP);
    return EXIT.ok;
  }
  const server = serverOf(context, values);
  const ended = Promise.withResolvers<void>();
  const served = serveStdio(() => {
    const tools = createToolServer(VERSION, ({ name }, input) => forward(server, name, input));
    const { onclose } = tools.server;
    tools.server.onclose = () => {
      onclose?.();
      ended.resolve();
    };
    return tools;
  });
  context.signal.addEventListener('abort', () => ended.resolve(), { once: true });
  process.stdin.once('end', () => ended.resolve());
  await ended.promise;
  await served.close();
  return EXIT.ok;
}

/** Calls a tool of the server as a request of its own: there is no session to keep alive on either side. */
async function forward(server: Server, name: string, input: Record<string, unknown>): Promise<CallToolResult> {
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
  try {
    const response = await server.fetch('/mcp', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify(call),
    });
    const text = await response.text();
    const message = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text) as {
      result?: CallToolResult;
      error?: { message: string };
    };
    return message.result ?? failed(message.error?.message ?? 'the server gave no answer');
  } catch (error) {
    if (error instanceof UnreachableError || error instanceof Refused) return failed(error.message);
    throw error;
  }
}

function failed(text: string): CallToolResult {
  return { isError: true, content: [{ type: 'text', text }] };
}
