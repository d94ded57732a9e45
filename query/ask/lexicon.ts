/** The language of questions beside its cues: words that mean nothing by themselves, and those that name kinds of things. */
import { CUES } from './cues.ts';
import { CONCEPTS, IDIOMS } from './vocabulary.ts';
import { WANTED } from './wanted.ts';

/** Endings that `*` grants a stem where words are corrected. */
const ENDINGS =
  ' s es e ed d ing y ies er ion ions t ts nt nce ncy ure ures ly al ment ce cy ability able ates ate ating ation ization'.split(
    ' ',
  );

/** Every word that a cue, a form, a meaning or an idiom holds: what a slip is mended to. */
export const CUE_WORDS: ReadonlySet<string> = new Set(
  [
    ...Object.values(CUES)
      .flatMap((byWeight) => Object.values(byWeight).flat())
      .flatMap((cue) => cue.split(/[ |]/)),
    ...Object.values(WANTED)
      .flat()
      .flatMap((cue) => cue.split(/[ |]/)),
    ...Object.values(CONCEPTS).flat(),
    ...IDIOMS.flatMap((idiom) => idiom.join(' ').split(/[ |]/)),
  ]
    .filter((word) => !/^[@_<*?^]/.test(word))
    .flatMap((word) => (word.endsWith('*') ? ENDINGS.map((ending) => word.slice(0, -1) + ending) : [word])),
);

/** Left out of questions and cues alike: they change nothing. */
export const EMPTY_WORDS: ReadonlySet<string> = new Set(
  'the a an please just really actually exactly even ever kindly hey our my currently'.split(' '),
);

/** Words that are no names, though they are no cues either. */
export const COMMON_WORDS: ReadonlySet<string> = new Set(
  `a about above actually after again ago ah all almost along already also although always am an and another any anybody anymore anyone
anything apart appear are around article as ask asked asking at attention away back bad badly based basically be because became become been
before begin beginning behind being below best better between big bit both bring but by call came can cannot care case certain check clear
clearly close code come compared complain complaining components component concerning could couple current currently customer customers
cool curious damn data date day days deal dear deep definitely deploy deployed deployment describe detail details did different do does doing done
down due during each earlier early easily either else end ending enough entire especially etc even ever every everybody everyone
everything exact exactly except eye feel few figure find fine finally first for found four frequently from full further gave general
generally get gets getting give given gives giving go goes going gone good got great greatly guess guys had half handle happen happened happening
happens hard has have having he heck hell help her here hey him his hmm honestly hour hours how however huge i idea if important in inc including indeed info
information inside instance instances instead interested into is issue it its itself job jobs just keep keeps kept kind kindly kinds know known large last
late lately later latest least less let lets like likely little look looked looking looks lot lots made mainly make makes making man many matter
maybe me mean means mind mine minute minutes moment month months more morning most mostly much must my myself name named near nearly
necessary need needed needs never new next nice night no nobody none noon not nothing notice noticed now number obviously odd of off often oh ok old
on once one ones only onto open operation operations or order other others our ours out outside over overall own part particular past people per
perhaps person place please point possible possibly pretty previous prior probably problem problems process production prod properly put question questions
quick quickly quite rather ready real really reason recent recently related release released remember report reported reporting restart restarted
right rollout room run running runs said same saw say saying says second seconds see seeing seem seemed seems seen sees service services several shall
she should show shows side similar simple simply since single situation six small so some somebody somehow someone something sometimes somewhere
soon sort staging start started starting state still stop stopped strange stuff such suddenly suppose supposed sure system systems take taken talk tell ten than
thanks that the their them then there these they thing things think this those though thought three through throughout thus time times to
today together told tomorrow tonight too took total totally toward tried tries true try trying turn two type types ultimately under understand unfortunately unless
until unusual up upon us usage use used user users uses using usual usually various very via want wanted wants was watch way we week weekend weeks
weird well went were what whatever when whenever where whether which while who whole whom whose why will with within without wonder wondering word
work worked working works world worry worth would wow year yes yesterday yet you your yours yourself
agent agents workflow workflows browser browsers application app apps microservice microservices node nodes replica replicas stack team cluster server servers machine host box
environment env platform backend frontend database db queue cache correlation trace traces span spans event events insight insights message messages
log logs request requests response responses id ids transaction task tasks step steps session sessions instance http api endpoint
noisy bug bugs oncall pager alert alerts alarm alarms dashboard metric metrics rate rates count counts average median top bottom
monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december
midnight afternoon evening midday hi hello hey yo sir assistant computer ai bot buddy friend cheers kind regards asap urgent urgently immediately hurry
fyi btw tldr brief briefly short summary quick-check plz pls thx cant dont doesnt isnt arent wasnt whats hows wheres whos didnt wont thats im ive were
between and or vs versus against exactly precisely roughly approximately
available unavailable responding respond responded reach reachable unreachable connect connection serving return returning returned
cause fast faster quicker quickest suffering suffers affects affect impacted impact impacts acting acted behave behaving behaved
constantly continuously repeatedly intermittently occasionally sporadically anyway instead whilst
sends sending sent receive receiving received process processing processed
possibly likely regarding regards respect terms
latest newest oldest earliest
fire burning trouble worried panic angry sad happy
tests test testing
containing contains contain mentioning mentions mention matching matches determine returning
post put patch delete head options
svc raise raised raises emit emits emitted thrown patient patients english plain successful unsuccessful highest lowest wake awake
executive management board serious severe seriously data lost loss missing proportion fraction share
write draft compose generate create produce summarise poem story joke
nor neither let's ought gonna wanna gotta sec secs min mins hr hrs wk`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

export const CONTRACTIONS: Readonly<Record<string, string>> = {
  "what's": 'what is',
  whats: 'what is',
  "how's": 'how is',
  hows: 'how is',
  "where's": 'where is',
  wheres: 'where is',
  "who's": 'who is',
  "why's": 'why is',
  "when's": 'when is',
  "that's": 'that is',
  "there's": 'there is',
  "it's": 'it is',
  "let's": 'let us',
  "what're": 'what are',
  "how're": 'how are',
  "isn't": 'is not',
  isnt: 'is not',
  "aren't": 'are not',
  arent: 'are not',
  "wasn't": 'was not',
  "weren't": 'were not',
  "doesn't": 'does not',
  doesnt: 'does not',
  "don't": 'do not',
  dont: 'do not',
  "didn't": 'did not',
  didnt: 'did not',
  "can't": 'can not',
  cant: 'can not',
  cannot: 'can not',
  "couldn't": 'could not',
  "won't": 'will not',
  "hasn't": 'has not',
  "haven't": 'have not',
  "i'm": 'i am',
  "we're": 'we are',
  "they're": 'they are',
  "i've": 'i have',
  "we've": 'we have',
  "you're": 'you are',
  gimme: 'give me',
  lemme: 'let me',
  wanna: 'want to',
  gonna: 'going to',
  y: 'why',
  u: 'you',
  wtf: 'what',
};

/** Too short to be mended by distance. */
export const MISSPELLINGS: Readonly<Record<string, string>> = {
  wy: 'why',
  whi: 'why',
  wyh: 'why',
  hwy: 'why',
  waht: 'what',
  wht: 'what',
  wat: 'what',
  hwo: 'how',
  teh: 'the',
  si: 'is',
  slwo: 'slow',
  solw: 'slow',
  erors: 'errors',
  eror: 'error',
  erros: 'errors',
  staus: 'status',
  wehre: 'where',
  whre: 'where',
  woh: 'who',
  cmp: 'compare',
  helo: 'hello',
  hallo: 'hello',
  pls: 'please',
  plz: 'please',
};

/** Words for what a component is, with the type that they mean; null for any. */
export const TYPE_WORDS: Readonly<Record<string, string | null>> = {
  agent: 'agent',
  agents: 'agent',
  workflow: 'workflow',
  workflows: 'workflow',
  service: 'service',
  services: 'service',
  svc: 'service',
  microservice: 'service',
  browser: 'browser',
  component: null,
  app: null,
  application: null,
  system: 'system',
};

/** Words before an id that say what it is of. */
export const ID_WORDS: ReadonlySet<string> = new Set([
  'operation',
  'op',
  'correlation',
  'trace',
  'event',
  'insight',
  'order',
  'request',
  'job',
  'task',
  'run',
  'transaction',
  'session',
  'span',
  'id',
]);

/** They point to what was spoken of before. */
export const POINTING_WORDS: ReadonlySet<string> = new Set([
  'it',
  'its',
  'that',
  'this',
  'they',
  'them',
  'their',
  'he',
  'she',
]);

/** They mean all of it, so that no name is missing. */
export const WHOLE_WORDS: ReadonlySet<string> = new Set([
  'everything',
  'all',
  'anything',
  'system',
  'overall',
  'everywhere',
  'whole',
  'things',
  'something',
  'we',
  'us',
  'our',
  'services',
  'components',
  'agents',
  'workflows',
  'anywhere',
  'every',
  'any',
  'which',
  'who',
  'general',
  'nothing',
  'platform',
  'cluster',
  'stack',
  'production',
  'prod',
  'most',
  'worst',
]);

/** Events that nobody has told us the time of. */
export const UNTOLD_MOMENTS: ReadonlySet<string> = new Set([
  'deploy',
  'deployment',
  'deployed',
  'release',
  'released',
  'rollout',
  'restart',
  'restarted',
  'upgrade',
  'upgraded',
  'migration',
  'push',
  'merge',
  'commit',
  'change',
  'update',
  'fix',
  'lunch',
  'standup',
  'meeting',
  'demo',
  'launch',
]);
