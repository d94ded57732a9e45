import { type AnyValue, type Attributes, type Logger, logs, SeverityNumber } from '@opentelemetry/api';
import { anyValue } from './any-value.ts';
import { CORRELATION_ID, currentCorrelation, currentOperation, OPERATION_ID } from './correlation.ts';
import packageJson from './package.json' with { type: 'json' };
import { redacted } from './redact.ts';

export interface SnapshotOptions {
  /** The named moment, as in `after-reserve`: snapshots of one checkpoint are compared across replicas and runs. */
  checkpoint?: string;
  /** `full` (default): all of the state; `partial`: some keys of it; `incremental`: what changed since the last one. */
  type?: 'full' | 'incremental' | 'partial';
  /** Default: the operation that is running. */
  operationId?: string;
  /** Whose state it is, if not the service's: `agent`, `workflow`, `browser`, `service`, `system` or another slug. */
  componentType?: string;
  componentId?: string;
}

const EVENT_NAME = 'debug.state.snapshot';

/**
 * Records the state of something at a moment, to be compared over time and across replicas. A name tells several states
 * of one component apart. The state is copied now, bounded, as structure (see `anyValue`); one that is not an object is
 * recorded as `{ value }`. Never throws; costs one comparison if nobody wants snapshots.
 */
export function snapshot(state: object, options?: SnapshotOptions): void;
export function snapshot(name: string | undefined, state: unknown, options?: SnapshotOptions): void;
export function snapshot(nameOrState: unknown, stateOrOptions?: unknown, options?: SnapshotOptions): void {
  try {
    if (!snapshotsWanted()) return;
    if (typeof nameOrState === 'object')
      recordSnapshot(undefined, anyValue(nameOrState), (stateOrOptions ?? {}) as SnapshotOptions);
    else recordSnapshot(nameOrState as string | undefined, anyValue(stateOrOptions), options ?? {});
  } catch {}
}

/** Whether anybody wants snapshots: OpenTelemetry's `Logger.enabled`, asked before a state is read. */
export function snapshotsWanted(): boolean {
  return logger().enabled({ eventName: EVENT_NAME, severityNumber: SeverityNumber.INFO });
}

export function recordSnapshot(name: string | undefined, state: AnyValue, options: SnapshotOptions): void {
  const attributes: Attributes = {
    'debug.snapshot.type': options.type ?? 'full',
    'debug.state.name': name,
    'debug.checkpoint': options.checkpoint,
    [OPERATION_ID]: options.operationId ?? currentOperation(),
    [CORRELATION_ID]: currentCorrelation(),
    'debug.component.type': options.componentType,
    'debug.component.id': options.componentId,
  };
  for (const key of Object.keys(attributes)) if (attributes[key] === undefined) delete attributes[key];
  const severityNumber = SeverityNumber.INFO;
  logger().emit({
    eventName: EVENT_NAME,
    severityNumber,
    severityText: 'INFO',
    body: redacted(kvlistOf(state ?? null)),
    attributes,
  });
}

function logger(): Logger {
  return logs.getLogger(packageJson.name, packageJson.version);
}

function kvlistOf(value: AnyValue): AnyValue {
  const isKvlist =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
  return isKvlist ? value : { value };
}
