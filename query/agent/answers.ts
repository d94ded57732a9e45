/** What agents are answered, by task: drafted from facts, fitted to the budget that the asker grants. */
import { type AgentAnswer, budgetOf, type Draft, fitToBudget } from '../budget.ts';
import { type ChangesInput, draftChanges, draftResolve, type ResolveInput } from './changes.ts';
import { type CompareQuestion, draftCompare } from './compare.ts';
import { draftExplain, type ExplainInput } from './explain.ts';
import type { Facts } from './facts.ts';
import { draftHealth, type HealthInput } from './health.ts';
import { draftSearch, type SearchInput } from './search.ts';
import { draftTrace, type TraceInput } from './trace.ts';

export interface Granted {
  /** Absent: the usual; see budget.ts. */
  budget_tokens?: number | null | undefined;
  /** What the face adds to the answer, at most a fifth of the budget. */
  reserved_tokens?: number | undefined;
}

/** Each keeps to its budget and says what it left out. @throws DebugError as the query service does */
export interface AgentAnswers {
  health(tenant: string, input: HealthInput, granted?: Granted): Promise<AgentAnswer>;
  explain(tenant: string, input: ExplainInput, granted?: Granted): Promise<AgentAnswer>;
  search(tenant: string, input: SearchInput, granted?: Granted): Promise<AgentAnswer>;
  trace(tenant: string, input: TraceInput, granted?: Granted): Promise<AgentAnswer>;
  compare(tenant: string, input: CompareQuestion, granted?: Granted): Promise<AgentAnswer>;
  changes(tenant: string, input: ChangesInput, granted?: Granted): Promise<AgentAnswer>;
  /** The one that changes something. */
  resolve(tenant: string, input: ResolveInput, granted?: Granted): Promise<AgentAnswer>;
}

export function createAgentAnswers(facts: Facts): AgentAnswers {
  const fitted =
    <Input>(draft: (facts: Facts, tenant: string, input: Input) => Promise<Draft>) =>
    async (tenant: string, input: Input, { budget_tokens, reserved_tokens }: Granted = {}) =>
      fitToBudget(await draft(facts, tenant, input), budgetOf(budget_tokens), reserved_tokens);
  return {
    health: fitted(draftHealth),
    explain: fitted(draftExplain),
    search: fitted(draftSearch),
    trace: fitted(draftTrace),
    compare: fitted(draftCompare),
    changes: fitted(draftChanges),
    resolve: fitted(draftResolve),
  };
}
