/** All analyzers, in the order in which they run: what names a culprit first, what counts last. */
import type { Analyzer } from './analyzer.ts';
import { anomaly } from './analyzers/anomaly.ts';
import { bottleneck } from './analyzers/bottleneck.ts';
import { componentRisk } from './analyzers/component-risk.ts';
import { criticalShare } from './analyzers/critical-share.ts';
import { deadlock } from './analyzers/deadlock.ts';
import { degradation } from './analyzers/degradation.ts';
import { errorChain } from './analyzers/error-chain.ts';
import { failureForecast } from './analyzers/failure-forecast.ts';
import { flow } from './analyzers/flow.ts';
import { metricAnomaly } from './analyzers/metric-anomaly.ts';
import { repeatedError } from './analyzers/repeated-error.ts';
import { resourceExhaustion } from './analyzers/resource-exhaustion.ts';
import { resourcePressure } from './analyzers/resource-pressure.ts';
import { slowOperation } from './analyzers/slow-operation.ts';
import { stateConsistency } from './analyzers/state-consistency.ts';
import { templateChange } from './analyzers/template-change.ts';
import { throughput } from './analyzers/throughput.ts';
import { workflowFailure } from './analyzers/workflow-failure.ts';

export const STANDARD_ANALYZERS: readonly Analyzer[] = [
  errorChain,
  deadlock,
  flow,
  workflowFailure,
  stateConsistency,
  slowOperation,
  bottleneck,
  degradation,
  repeatedError,
  criticalShare,
  resourcePressure,
  throughput,
  anomaly,
  metricAnomaly,
  templateChange,
  resourceExhaustion,
  failureForecast,
  componentRisk,
];

/** What `DEBUG_ANOMALY_DETECTION_ENABLED=false` leaves. */
export const WITHOUT_ANOMALIES: readonly Analyzer[] = STANDARD_ANALYZERS.filter(
  (analyzer) => analyzer !== anomaly && analyzer !== metricAnomaly && analyzer !== templateChange,
);
