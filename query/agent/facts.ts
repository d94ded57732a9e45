/** What drafts are made from: the answers of the query service that are facts, each of which every face gives too. */
import type { ChangesAnswers } from '../changes.ts';
import type { CompareAnswers } from '../compare.ts';
import type { CorrelationAnswers } from '../correlations.ts';
import type { EventAnswers } from '../events.ts';
import type { HealthAnswers } from '../health.ts';
import type { InsightAnswers } from '../insights.ts';
import type { OperationAnswers } from '../operations.ts';
import type { PatternAnswers } from '../patterns.ts';
import type { TraceAnswers } from '../traces.ts';
import type { VersionAnswers } from '../versions.ts';

export interface Facts
  extends EventAnswers,
    CorrelationAnswers,
    TraceAnswers,
    OperationAnswers,
    HealthAnswers,
    PatternAnswers,
    InsightAnswers,
    ChangesAnswers,
    CompareAnswers,
    VersionAnswers {}
