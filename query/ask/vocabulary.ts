/**
 * Words by what they mean in questions about a running system. A question is recognised by meanings, not by words: whoever misses a word
 * adds it to the meaning that it has, and every cue that holds this meaning knows it. `*` stands for any ending.
 */

const spoken = {
  // How questions are put.
  be: 'is are was were be been being am seems seem looks appears',
  do: 'do does did',
  have: 'have has had',
  may: 'can could should may might must shall',
  which: 'which what who whom whose',
  why: 'why explain* diagnos* troubleshoot* investigat* reason* wherefore rca',
  any: 'any anything something anywhere anybody some',
  tell: 'list show give get fetch print display see enumerate name',
  count: 'many count number often frequently times tally total',

  // How things are.
  well: `ok okay fine good healthy well alright alive up green stable stability operational reachable available availability responding online
    normal normally working works properly correctly expected happy sane sound intact functional smoothly reliable trustworthy safe`,
  ill: `broken down dead unhealthy degraded sick ill red unavailable unreachable unresponsive offline bad borked hosed kaput flaky unstable
    burning faulty impaired toast wonky misbehaving erroring failing struggling suffering troubled hurting affected impacted`,
  fail: `fail fails failed failing failling crash* break breaks broke breaking die dies died dying refus* reject* timeout* abort* malfunction* panic*
    throw throws threw throwing choke* choking explod* stall stalls collaps* overload* throttl* erroring hang hangs hung misbehav* unable`,
  fault: `error errors err errs exception* failure* fault faults crash crashes critical criticals fatal* warning* warn* stacktrace* traceback*
    timeouts overload* throttling limits quota* rejections refusals denials`,
  trouble:
    'problem* issue* trouble* wrong matter bug* burning fire broken alarm* unusual strange odd weird anomal* abnormal* suspicious irregular* fishy peculiar',
  gone: 'gone recover* resolved solved fixed cured mended over cleared healed subsided stopped',
  fix: 'fix fixes repair* solve* resolv* mitigat* remed* hotfix patch workaround',
  advice: 'advice advise* recommend* suggestion* suggest countermeasure* remedy remedies playbook runbook',
  cause: 'kill kills killing killed cause causes caused causing reason* culprit* trigger* origin source bug led behind',
  blame: 'blame* culprit* suspect* guilty fault responsible offender offending perpetrator',
  affect: 'affect* impact* suffer* hurt hurts hit',
  incident: 'incident* outage* spike* downtime meltdown disruption* alert alerts interruption* degradation* blackout*',

  // Time and measure.
  slow: 'slow* sluggish latenc* laggy lagging bottleneck* hotspot* crawls crawling crawl',
  fast: 'fast faster fastest quick quicker quickly quickest speed* performan* performing',
  took: 'take takes took taking taken last lasts lasted spend spends spent waste wasted wasting',
  long: 'long longer longest ages forever',
  quantile: 'p50 p75 p90 p95 p99 p999 percentile* median',
  better: 'better worse healthier unhealthier slower faster quicker busier noisier safer sicker',
  mental: 'want wants know knows need needs think care mind understand see remember believe mean like',
  begin: 'start starts started starting begin begins began begun beginning onset first',
  end: 'stop stops stopped stopping end ends ended ending finish* cease* last',
  sign: 'seen hear* active report reported reporting respond responded alive heartbeat*',
  silent: 'silent quiet* mute* missing absent stale inactive idle',
  usual: 'usual normal before earlier yesterday previously typical baseline average then',
  many: 'more fewer less higher lower bigger smaller greater',

  // What happens.
  change: 'chang* differ* new different regress* deteriorat* degrading improv* evolv*',
  shift: `regress* degrad* improv* deteriorat* increas* decreas* grow* grew rise rises rose rising risen drop* climb* worsen* jump* double* shrink*
    shrank decline*`,
  done: 'done finish* complete* ready through succe* worked',
  most: 'most single biggest worst gravest main greatest severe critical',
  progress: 'progress* percent* eta remain* complet* finish* done steps stalled',
  active: 'running active progress flight stuck stalled ongoing pending open underway',
  same: 'same identical equal* alike consisten* match* agree* agreement sync synced synchron* converge*',
  apart: `inconsisten* diverg* disagree* mismatch* drift* conflict* unsynced desync* outofsync`,
  copies: 'replica* node nodes instance instances copies copy mirror* shards pods pod replica replicas hosts machines',
  call: `call calls called calling invok* use uses used using talk* speak* communicat* interact* integrat* publish* send sends sent consum*
    subscrib* depend* rely relies relied upstream* downstream* connect* contact* reach reaches needs need`,
  map: 'topolog* dependenc* architecture callgraph mesh neighbo* caller* callee* upstream* downstream*',
  common:
    'common frequent* recurr* repeat* typical top noisiest loudest pattern* trend* cluster* categor* kinds types groups template*',
  again: 'again repeatedly repeating recurring constantly',
  log: 'log logs logged message messages msgs event events lines output',
  will: 'will would could might may going gonna',
  risk: 'risk* likely probab* chance* odds danger predict* forecast* future upcoming about',
  exhaust: 'exhaust* full capacity saturat*',
  traffic: 'traffic throughput busy busiest load volume rps qps tps rate idle quiet quietest active',
  units: 'requests request calls events messages msgs spans records orders logs',
  path: 'trace timeline path journey route hops whereabouts',
  attention:
    'look looking start begin beginning focus worry worried care concerned attention check investigate prioriti* first urgent attack tackle',
  act: 'ship deploy release merge restart reboot rollback promote proceed launch scale upgrade retry continue drain failover go leave sleep relax',
  people: 'users user customers customer clients people visitors shoppers buyers they nobody everyone everybody folks',
  kinds:
    'component* service services agent agents workflow workflows browser browsers microservice* app apps system systems node',
  runs: 'operation* workflow* job jobs task tasks run runs pipeline* transaction*',
} as const;

export type Concept = keyof typeof spoken;

export const CONCEPTS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(spoken).map(([concept, words]) => [concept, words.split(/\s+/)]),
);

/** Whether a word has any of these meanings. */
export function means(word: string, ...concepts: readonly Concept[]): boolean {
  return concepts.some((concept) => CONCEPTS[concept]!.some((each) => isForm(word, each)));
}

/** Whether a word is `said`, or begins with it where `said` ends in `*`. */
export function isForm(word: string, said: string): boolean {
  return said.endsWith('*') ? word.startsWith(said.slice(0, -1)) : word === said;
}

/** Several words with one meaning, and a word that has it. Written like cues, without gaps. */
export const IDIOMS: readonly (readonly [said: string, means: string])[] = [
  ['can|could not', 'unable'],
  ['how come', 'why'],
  ['what for', 'why'],
  ['blow|blows|blew|blowing|blown up', 'failing'],
  ['fall|falls|fell|falling over|apart', 'failing'],
  ['act|acts|acting up', 'failing'],
  ['go|gone|went up|down or up|down', 'changing'],
  ['<fault>|<count>|rate|rates go|goes|going|gone|went up|down', 'changing'],
  ['fall|falls|fell|go|goes|went|going|goin down', 'failing'],
  ['time|times|timed|timing out', 'timeout'],
  ['stop|stops|stopped|quit|ceased <fail>', 'recovered'],
  ['calm*|settle*|cool* down', 'recovered'],
  ['back to normal', 'recovered'],
  ['go|goes|went away', 'gone'],
  ['roll|rolled out', 'deploy'],
  ['roll|rolled back', 'rollback'],
  ['go|going live', 'deploy'],
  ['out of sync|step', 'outofsync'],
  ['up to speed', 'recap'],
  ['fall|falls|falling|fell behind', 'backlog'],
  ['more slow', 'slower'],
  ['more fast', 'faster'],
  ['more bad', 'worse'],
  ['more good|healthy', 'healthier'],
  ['at risk', 'risky'],
  ['not <ill>|<fail>|<affect>', 'healthy'],
  ['not *ing|respond|load|start|open|arrive|come|appear', 'failing'],
  ['<do>|<will> not ?', 'failing'],
  ['go|goes|going|gone|went up|down', 'changing'],
  ['up or down', 'changing'],
  ['that is all|it', 'thanks'],
  ['<units> min|mins|minute|sec|second|hour|s|m', 'throughput'],
  ['quick check|look|question', 'check'],
];
