// An app with an OpenTelemetry SDK of its own, which takes our parts.

import { snapshot, withOperation } from '@ai-debug/instrumentation';
import { debugSdkParts } from '@ai-debug/instrumentation/sdk';
import { trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';

const sdk = new NodeSDK({ ...debugSdkParts(), instrumentations: [] });
sdk.start();
withOperation('op-1', () =>
  trace.getTracer('app').startActiveSpan('work', (span) => {
    snapshot('basket', { items: 2, token: 'abc' });
    span.end();
  }),
);
