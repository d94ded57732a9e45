/** How many questions a token may ask a second, over whatever protocol it asks them. */
import type { Clock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import type { Meter } from '../base/meter.ts';
import { createRateLimit } from '../base/rate.ts';
import type { Authenticate, Principal } from '../base/tokens.ts';

export type Protocol = 'rest' | 'mcp' | 'websocket' | 'grpc';

export interface QuestionLimit {
  /** 0: no limit. */
  readonly perSecond: number;
  /** Lets in whom `authenticate` does, as long as it asks no more than it may. @throws DebugError THROTTLED, with when to ask again */
  over(authenticate: Authenticate, protocol: Protocol): Authenticate;
  /** What it may ask at once. */
  left(principal: Principal): number;
}

export function createQuestionLimit(
  perSecond: number,
  { clock, meter }: { clock: Clock; meter: Meter },
): QuestionLimit {
  const rate = createRateLimit(perSecond, clock);
  const refused = meter.counter('questions_refused_total', 'Questions over what their token may ask a second', [
    'protocol',
  ]);
  return {
    perSecond,
    over: (authenticate, protocol) => (authorization) => {
      const principal = authenticate(authorization);
      const owed = rate.owes(principal.name);
      if (owed > 0) {
        refused.inc({ protocol });
        throw new DebugError('THROTTLED', `over the ${perSecond} questions a second that a token may ask`, {
          retryAfterSeconds: Math.ceil(owed),
        });
      }
      rate.spend(principal.name, 1);
      return principal;
    },
    left: ({ name }) => Math.floor(rate.left(name)),
  };
}
