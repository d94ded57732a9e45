import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { getEnvironmentData, isMainThread, setEnvironmentData, threadId } from 'node:worker_threads';
import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_TELEMETRY_DISTRO_NAME,
  ATTR_TELEMETRY_DISTRO_VERSION,
} from '@opentelemetry/semantic-conventions';
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

/** One per process: its worker threads are the same replica, so they inherit it. */
export function instanceId(): string {
  const inherited = getEnvironmentData(ATTR_SERVICE_INSTANCE_ID);
  if (typeof inherited === 'string') return inherited;
  const id = randomUUID();
  setEnvironmentData(ATTR_SERVICE_INSTANCE_ID, id);
  return id;
}
