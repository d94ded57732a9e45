/** One rule of alerting: a threshold over counts of the last hour, looked at once a minute, whatever the analyzers find. */
import type { ComponentRef } from '../../model/block.ts';
import type { InsightType, Severity } from '../../model/insight.ts';
import type { JsonObject } from '../../model/json.ts';

export interface AlertRule {
  readonly name: string;
  /** @returns null while all is within bounds; one breach for all components that are over them, as they are one alert */
  check(hours: Hours): Breach | null;
}

/** Each component's counts; those without events are left out. */
export interface Hours {
  readonly last: readonly HourCounts[];
  readonly before: readonly HourCounts[];
}

export interface HourCounts {
  component: ComponentRef;
  total: number;
  /** Of them at ERROR and above. */
  errors: number;
}

export interface Breach {
  /** The worst first, at least one. */
  components: readonly ComponentRef[];
  insight_type: InsightType;
  severity: Severity;
  title: string;
  summary: string;
  description: string;
  numbers: JsonObject;
  /** 0 to 1: how sure the sample makes us. */
  confidence: number;
}
