/** All analyzers, in the order in which they run: what names a culprit first, what counts last. */
import type { Analyzer } from './analyzer.ts';
import { bottleneck } from './analyzers/bottleneck.ts';
import { criticalShare } from './analyzers/critical-share.ts';
import { degradation } from './analyzers/degradation.ts';
import { errorChain } from './analyzers/error-chain.ts';
import { flow } from './analyzers/flow.ts';
import { repeatedError } from './analyzers/repeated-error.ts';
import { slowOperation } from './analyzers/slow-operation.ts';
import { stateConsistency } from './analyzers/state-consistency.ts';

export const STANDARD_ANALYZERS: readonly Analyzer[] = [
  errorChain,
  flow,
  stateConsistency,
  slowOperation,
  bottleneck,
  degradation,
  repeatedError,
  criticalShare,
];
