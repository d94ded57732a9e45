/** What to do about a finding: first what helped here before, then what its evidence says, then what is known of such errors in general. */
import type { Insight, Suggestion } from '../model/insight.ts';
import { type Finding, familyOf } from './finding.ts';
import { templateText } from './templates.ts';
import { componentKey } from './window.ts';

/** @param resolved insights of the same type that somebody resolved and said how, newest first  @returns at most 6, the best first */
export function suggestionsFor(finding: Finding, resolved: readonly Insight[]): Suggestion[] {
  const all = [...fromPast(finding, resolved), ...(finding.suggestions ?? []), ...fromKnownCauses(finding.symptoms)];
  if (all.length === 0 && finding.severity !== 'info') all.push(whereToLook(finding));
  const byAction = new Map(all.map((suggestion) => [suggestion.action, suggestion]));
  return [...byAction.values()].slice(0, SUGGESTIONS_MAX);
}

/** Where neither the past nor what was said gives advice, the evidence itself does: it needs no words that anybody knows. */
function whereToLook({ where, evidence, correlation_id, times, insight_type }: Finding): Suggestion {
  const name = componentKey(where);
  const [trace] = evidence.trace_ids;
  if (insight_type === 'anomaly' || insight_type === 'prediction') {
    return {
      action: `Compare ${name} before and after ${times[0]}: its version, its configuration, who calls it, what it says`,
      why: 'it was otherwise until then, and what changed at that time is the first suspect',
      source: 'known_cause',
    };
  }
  const at = trace !== undefined ? `trace ${trace}` : correlation_id !== null ? `correlation ${correlation_id}` : null;
  return {
    action:
      at === null
        ? `Read what ${name} did just before ${times[0]}`
        : `Read ${at}: what ${name} did last before it, and whom it called`,
    why: 'no known cause fits the words, and what came just before it is closest to the cause',
    source: 'known_cause',
  };
}

const SUGGESTIONS_MAX = 6;
const PAST_MAX = 2;
/** Two of three words in common: the same trouble in other words. */
const SIMILAR_MIN = 0.66;
const PATTERN_ID = /[0-9a-f]{16}/;

/** The most similar first; of equally similar ones the newest. */
function fromPast(finding: Finding, resolved: readonly Insight[]): Suggestion[] {
  const words = wordsIn(`${finding.title} ${finding.symptoms.join(' ')}`);
  return resolved
    .filter((insight) => insight.resolution_notes !== null && insight.resolution_notes !== '')
    .map((insight) => ({ insight, similarity: similarity(finding, words, insight) }))
    .filter((each) => each.similarity > 0)
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, PAST_MAX)
    .map(({ insight }) => ({
      action: insight.resolution_notes!,
      why: `this is how "${insight.title}" was resolved${insight.resolved_by === null ? '' : ` by ${insight.resolved_by}`} at ${insight.resolved_at?.slice(0, 16) ?? 'an unknown time'}`,
      source: 'past_resolution',
    }));
}

/** 0 to 1: the same finding, here or elsewhere, else the share of words in common; a little more on the same component. */
function similarity(finding: Finding, words: ReadonlySet<string>, insight: Insight): number {
  const isSameKind = insight.fingerprint.startsWith(`${finding.analyzer}|`);
  const isSamePlace = insight.affected_components.some(
    (component) => componentKey(component) === componentKey(finding.where),
  );
  const place = isSamePlace ? 0.1 : 0;
  // Where the kind of finding names no pattern (slow, blocked), only the same place makes it the same trouble.
  const isSameTrouble = insight.fingerprint.startsWith(`${familyOf(finding)}|`);
  if (isSameTrouble && (isSamePlace || PATTERN_ID.test(finding.what))) return 0.9 + place;
  if (!isSameKind) return 0;
  const others = wordsIn(`${insight.title} ${String(insight.evidence.numbers.pattern ?? '')}`);
  let common = 0;
  for (const word of others) if (words.has(word)) common++;
  const share = common / Math.max(Math.min(words.size, others.size), 1);
  return share < SIMILAR_MIN ? 0 : share * 0.8 + place;
}

function wordsIn(text: string): Set<string> {
  return new Set(
    templateText(text)
      .replace(/<\w+>/g, ' ')
      .toLowerCase()
      .split(/[^\p{L}]+/u)
      .filter((word) => word.length > 2),
  );
}

function fromKnownCauses(symptoms: readonly string[]): Suggestion[] {
  const text = symptoms.join('\n').slice(0, SYMPTOM_CHARS_MAX);
  return KNOWN_CAUSES.filter(({ pattern }) => pattern.test(text)).map(({ action, why }) => ({
    action,
    why,
    source: 'known_cause',
  }));
}

const SYMPTOM_CHARS_MAX = 4000;

/** The more specific first. Words of runtimes, databases and protocols, not of any one system. */
const KNOWN_CAUSES: readonly { pattern: RegExp; action: string; why: string }[] = [
  {
    pattern: /ECONNREFUSED|connection refused/i,
    action: 'Check that the callee runs and listens on the address that is called',
    why: 'a refused connection means that the host is there and nobody listens',
  },
  {
    pattern: /ENOTFOUND|EAI_AGAIN|getaddrinfo|name (?:or service )?not (?:known|resolved)|no such host/i,
    action: 'Check the host name and the name service',
    why: 'the name could not be resolved',
  },
  {
    pattern: /ECONNRESET|EPIPE|socket hang up|connection (?:was )?(?:reset|closed|aborted)|broken pipe/i,
    action: 'Look for a restart or crash of the callee, or an idle timeout shorter than the caller’s',
    why: 'the other end closed a connection in use',
  },
  {
    pattern: /pool (?:is )?(?:exhausted|timed? ?out)|too many (?:connections|clients)|(?:connection|resource) pool/i,
    action: 'Find what holds connections for long, then size the pool',
    why: 'a pool runs dry because of slow or leaked users more often than because it is small',
  },
  {
    pattern: /deadlock|lock (?:wait )?timeout|could not obtain lock|database is locked|SQLITE_BUSY|was locked/i,
    action: 'Find who holds the lock: a long transaction, a backup, a migration',
    why: 'work waits for a lock',
  },
  {
    pattern: /time[d]?[ -]?out|deadline exceeded|ETIMEDOUT|AbortError|TimeoutError/i,
    action: 'Look at the slowest step behind the call before raising the timeout',
    why: 'a timeout is told by the caller, the cause is behind it',
  },
  {
    pattern: /out of memory|\bOOM(?:\b|kill)|heap limit|cannot allocate memory|ENOMEM/i,
    action: 'Compare memory before and after the last deployment, and look for what grows with each request',
    why: 'memory ran out',
  },
  {
    pattern: /ENOSPC|no space left|disk (?:is )?full|quota exceeded/i,
    action: 'Free or enlarge the disk',
    why: 'there is no space left to write',
  },
  {
    pattern:
      /unauthori[sz]ed|forbidden|permission denied|access denied|EACCES|EPERM|invalid (?:token|credentials)|\b40[13]\b/i,
    action: 'Check the credentials and what they are allowed, and whether they have expired',
    why: 'access was refused',
  },
  {
    pattern: /rate limit|too many requests|throttl|\b429\b/i,
    action: 'Spread or cut the calls, and back off on a refusal',
    why: 'a limit of the callee was reached',
  },
  {
    pattern:
      /cannot read propert|undefined is not|is not a function|null ?pointer|NoneType|nil pointer|null reference/i,
    action: 'Look at what produced the missing value: recently changed data, configuration or code',
    why: 'code met a value that it took for granted',
  },
  {
    pattern: /unique constraint|duplicate key|foreign key|constraint violation|already exists/i,
    action: 'Check whether the same request came twice, or in another order than expected',
    why: 'the store refused a write that breaks one of its rules',
  },
  {
    pattern: /unexpected token|JSON|parse error|malformed|invalid (?:syntax|format)|cannot (?:de)?serialize/i,
    action: 'Compare what was sent with what the reader expects, versions of both first',
    why: 'something could not be read',
  },
  {
    pattern: /certificate|(?<![a-z])(?:TLS|SSL|openssl)|self[- ]signed|handshake/i,
    action: 'Check the certificate: its date, its name, who signed it',
    why: 'no trusted connection could be made',
  },
  {
    pattern: /not found|no such|ENOENT|does not exist|\b404\b/i,
    action: 'Check whether it was ever created, was deleted, or is asked for too early',
    why: 'what was asked for is not there',
  },
  {
    pattern: /unavailable|\b50[234]\b|bad gateway/i,
    action: 'Look at the health of the callee, and of what is between',
    why: 'a callee said that it cannot serve now',
  },
  {
    pattern: /\bslow\b/i,
    action: 'Look into one slow run: its longest step, then what that step waits for',
    why: 'the time is spent in one place, and a trace shows which',
  },
];
