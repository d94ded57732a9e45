/** The few attribute keys that decide what a record is and whose it is, found by their bytes while a record is walked. */
import { keyHash } from '../model/attribute-filter.ts';

/** What a key says. Values of `correlation` and `operation` keys are ranked: the first of the configured keys wins. */
export type Role =
  | 'correlation'
  | 'operation'
  | 'componentType'
  | 'componentId'
  | 'agentId'
  | 'agentName'
  | 'workflowId'
  | 'genAiOperation'
  | 'browser'
  | 'serviceName'
  | 'sdkLanguage'
  | 'instanceId'
  | 'podName'
  | 'hostName'
  | 'exception'
  | 'exceptionMessage'
  | 'eventType';

export interface KeySettings {
  /** `DEBUG_CORRELATION_KEYS`, first wins. */
  correlationKeys: readonly string[];
  /** `DEBUG_OPERATION_KEYS`, first wins. */
  operationKeys: readonly string[];
}

export const DEFAULT_KEYS: KeySettings = {
  correlationKeys: ['debug.correlation_id', 'correlation_id', 'correlation.id', 'correlationId'],
  operationKeys: ['debug.operation_id', 'operation_id', 'operation.id', 'operationId'],
};

export interface KeyRole {
  role: Role;
  rank: number;
  bytes: Uint8Array;
}

const FIXED_ROLES: readonly (readonly [string, Role])[] = [
  ['debug.component.type', 'componentType'],
  ['debug.component.id', 'componentId'],
  ['debug.event.type', 'eventType'],
  ['gen_ai.agent.id', 'agentId'],
  ['gen_ai.agent.name', 'agentName'],
  ['gen_ai.operation.name', 'genAiOperation'],
  ['workflow.id', 'workflowId'],
  ['browser.brands', 'browser'],
  ['browser.platform', 'browser'],
  ['browser.mobile', 'browser'],
  ['browser.language', 'browser'],
  ['telemetry.sdk.language', 'sdkLanguage'],
  ['service.name', 'serviceName'],
  ['service.instance.id', 'instanceId'],
  ['k8s.pod.name', 'podName'],
  ['host.name', 'hostName'],
  ['exception.type', 'exception'],
  ['exception.message', 'exceptionMessage'],
  ['exception.stacktrace', 'exception'],
];

/** Looks keys up by the hash under which the filter of attributes knows them: 12 attributes a record are passed over without decoding one key. */
export class KeyTable {
  readonly #buckets: (KeyRole[] | undefined)[] = new Array(256);

  constructor(settings: KeySettings) {
    for (const [rank, key] of settings.correlationKeys.entries()) this.#add(key, 'correlation', rank);
    for (const [rank, key] of settings.operationKeys.entries()) this.#add(key, 'operation', rank);
    for (const [key, role] of FIXED_ROLES) this.#add(key, role, 0);
  }

  /** @param hash {@link keyHash} of the range */
  find(hash: number, bytes: Uint8Array, start: number, end: number): KeyRole | undefined {
    const bucket = this.#buckets[slotOf(hash)];
    if (bucket === undefined) return undefined;
    next: for (const candidate of bucket) {
      if (candidate.bytes.length !== end - start) continue;
      for (let i = 0; i < candidate.bytes.length; i++) if (candidate.bytes[i] !== bytes[start + i]) continue next;
      return candidate;
    }
    return undefined;
  }

  #add(key: string, role: Role, rank: number): void {
    const bytes = new TextEncoder().encode(key);
    const at = slotOf(keyHash(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length));
    (this.#buckets[at] ??= []).push({ role, rank, bytes });
  }
}

function slotOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> 24;
}
