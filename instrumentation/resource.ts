import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { getEnvironmentData, isMainThread, setEnvironmentData, threadId } from 'node:worker_threads';
import {
  defaultResource,
  detectResources,
  envDetector,
  hostDetector,
  osDetector,
  processDetector,
  type Resource,
  type ResourceDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_TELEMETRY_DISTRO_NAME,
  ATTR_TELEMETRY_DISTRO_VERSION,
} from '@opentelemetry/semantic-conventions';
import { say } from './diagnostics.ts';
import packageJson from './package.json' with { type: 'json' };

/**
 * Who emits. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are laid over it. Only what is known without asking
 * anybody: no cloud detectors (they call the network), no `process.command_args` (secrets are passed on command lines).
 */
export function processResource(): Resource {
  return defaultResource().merge(
    resourceFromAttributes({
      [ATTR_SERVICE_INSTANCE_ID]: instanceId(),
      [ATTR_TELEMETRY_DISTRO_NAME]: packageJson.name,
      [ATTR_TELEMETRY_DISTRO_VERSION]: packageJson.version,
      'host.name': hostname(),
      'process.pid': process.pid,
      'process.runtime.name': 'nodejs',
      'process.runtime.version': process.versions.node,
      'process.runtime.description': 'Node.js',
      // A worker is the same replica with an event loop of its own: its runtime metrics are other series.
      ...(isMainThread ? {} : { 'thread.id': threadId }),
    }),
  );
}

/**
 * What OpenTelemetry's own detectors say, to be laid over it.
 *
 * @param names as in `OTEL_NODE_RESOURCE_DETECTORS`, with its `all` and `none`; others are said and left out
 */
export function describedBy(names: string[]): Resource {
  if (names.includes('all')) return detectResources({ detectors: Object.values(DETECTORS) });
  if (names.includes('none')) return detectResources({ detectors: [] });
  const detectors = names.flatMap((name) => {
    if (!Object.hasOwn(DETECTORS, name)) say(`OTEL_NODE_RESOURCE_DETECTORS: there is no detector "${name}"`);
    return DETECTORS[name] ?? [];
  });
  return detectResources({ detectors });
}

/** In the order in which `NodeSDK` lets the later ones win. */
const DETECTORS: Record<string, ResourceDetector> = {
  host: hostDetector,
  os: osDetector,
  serviceinstance: serviceInstanceIdDetector,
  process: processDetector,
  env: envDetector,
};

/** One per process: its worker threads are the same replica, so they inherit it. */
export function instanceId(): string {
  const inherited = getEnvironmentData(ATTR_SERVICE_INSTANCE_ID);
  if (typeof inherited === 'string') return inherited;
  const id = randomUUID();
  setEnvironmentData(ATTR_SERVICE_INSTANCE_ID, id);
  return id;
}
