/** Who changed something on request, and who asked to and was not let: a line of the log for each, whichever face it came by. */
import type { Logger } from '../base/log.ts';
import { type Principal, requireScope, type Scope } from '../base/tokens.ts';

export interface Audit {
  /** @param what names what was asked for: a path, a method, a tool  @throws DebugError FORBIDDEN, written down where it would have changed something */
  require(principal: Principal, scope: Scope, what: object): void;
  /** It was done. Only changes are written down. */
  done(principal: Principal, scope: Scope, what: object): void;
}

export function createAudit(log: Logger): Audit {
  return {
    require(principal, scope, what) {
      try {
        requireScope(principal, scope);
      } catch (error) {
        const { name, tenant } = principal;
        if (scope === 'admin') log.warn({ principal: name, tenant, ...what }, 'refused on request');
        throw error;
      }
    },
    done({ name, tenant }, scope, what) {
      if (scope === 'admin') log.info({ principal: name, tenant, ...what }, 'changed on request');
    },
  };
}
