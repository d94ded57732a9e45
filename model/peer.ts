/** Which attributes of a client's or producer's span name whom it calls (OpenTelemetry semantic conventions, the older names after the newer ones). */

/** The address; with a port where one stands beside it. */
export const PEER_HOST_KEYS = ['server.address', 'net.peer.name', 'network.peer.address'] as const;
export const PEER_PORT_KEYS = ['server.port', 'net.peer.port', 'network.peer.port'] as const;
/** Where no address is given: the first of these that is. */
export const PEER_NAME_KEYS = ['peer.service', 'db.system.name', 'db.system', 'messaging.system'] as const;
