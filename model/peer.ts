/** Which attributes of a client's or producer's span name whom it calls (OpenTelemetry semantic conventions, the older names after the newer ones). */

/** The address; with a port where one stands beside it. */
export const PEER_HOST_KEYS = ['server.address', 'net.peer.name', 'network.peer.address'] as const;
export const PEER_PORT_KEYS = ['server.port', 'net.peer.port', 'network.peer.port'] as const;
/** Where no address is given: the first of these that is. */
export const PEER_NAME_KEYS = [
  ...['peer.service', 'db.system.name', 'db.system', 'messaging.system'],
  // A model's provider is asked over the network, an MCP server often over a pipe, which has no address: then its tool is the name.
  ...['gen_ai.tool.name', 'gen_ai.provider.name', 'gen_ai.system'],
] as const;

/**
 * The GenAI conventions call the span of an agent's tool call `execute_tool {gen_ai.tool.name}` and make it an internal one, though it is
 * the agent's call of something else. It names a peer too; what the tool itself calls below, an MCP server or an API, takes its place.
 */
export const TOOL_SPAN_PREFIX = 'execute_tool ';
