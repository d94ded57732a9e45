/** What a look for insights is made of, whichever thread it runs in, and what two threads say to each other about it. */
import { type Config, invariantsOf } from '../config.ts';
import type { Analyzer } from '../insight/analyzer.ts';
import { invariantAnalyzer } from '../insight/analyzers/invariant.ts';
import { parseInvariants } from '../insight/invariants.ts';
import type { Reader } from '../insight/reader.ts';
import { STANDARD_ANALYZERS, WITHOUT_ANOMALIES } from '../insight/standard.ts';
import { wholeSnapshots } from '../model/state-assembly.ts';
import type { WarmStore } from '../storage/contract.ts';
import type { EventReader } from '../storage/query.ts';

/** What the thread is started with. */
export interface LookerData {
  config: Config;
  /** Of its log. */
  level: string;
}

export function readerOf({ events }: EventReader, warm: WarmStore): Reader {
  return {
    events,
    snapshots: wholeSnapshots(warm.snapshots),
    templateMinutes: warm.templateMinutes,
    componentMinutes: warm.componentMinutes,
    componentSums: warm.componentSums,
    templates: warm.templates,
  };
}

export function analyzersOf(config: Config): readonly Analyzer[] {
  return [
    invariantAnalyzer(invariantsOf(config, parseInvariants)),
    ...(config.anomalyDetectionEnabled ? STANDARD_ANALYZERS : WITHOUT_ANOMALIES),
  ];
}
