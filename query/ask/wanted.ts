/**
 * In which form an answer is wanted, whatever it is about: a number for "how many", a time for "since when", a name for "who". What fits
 * the form is told first. Cues as in cues.ts, without weights: a question may want several.
 */

export const WANTED = {
  /** How many, how often. */
  count: ['how <count>', '<count> of', 'count|tally|total|quantity'],
  /** How many of all. */
  share: ['percent*|share|ratio|fraction|proportion', '<fail>|<fault>|failure|error|success rate'],
  /** When it began. */
  beginning: [
    'when _ <begin>',
    'when|what @component _ <begin>',
    'since|from when',
    'since how long',
    'how long ago',
    'first time|occurrence|seen|occurred|appearance|<fault>',
    'when _ first',
    '<begin> when',
    'what time _ <begin>',
    'when <do>|<be> _ <fail>|<fault>|<trouble>|<ill>|happen*|occur*',
    'how long <be>|<have> _ <fail>|<fault>|<ill>|<trouble>|@text',
    'how long @component _ <fail>|<ill>',
    '<begin> time',
  ],
  /** When it was there for the last time. */
  end: [
    'when _ <end>|last',
    '<end> when',
    'last|latest|newest|recent time|occurrence|seen|occurred|<fault>',
    'most recent <fault>|<incident>',
    '<end> time',
  ],
  /** How long it was there. */
  duration: [
    'how long <do>|<be>|<have>|<will> _ <incident>|<trouble>|<fault>|<fail>|<ill>',
    'how long _ <incident>|<trouble>',
    '<incident>|<trouble>|<fault>|<fail> _ duration|length',
    'duration|length of _ <incident>|<trouble>|<fault>|<fail>',
    'how many minutes|hours|seconds _ <ill>|<fail>|<incident>|<trouble>',
    '<incident>|<trouble> _ last long',
  ],
  /** Whether it has passed. */
  over: [
    '<be>|<have>|<do> _ <gone>',
    'still <fail>|<ill>|<fault>|<trouble>|happening|there|occurring|going|present|active|failing',
    '<gone>',
    '<gone> <well>|now|yet|again',
    '<well> again',
    'back to <usual>',
    '@component|it|everything|<kinds> _ back',
    'back <end>|up|online|now|again|yet|in',
  ],
  /** Who it is, of all. */
  who: ['<which> <kinds>', 'who _ <fault>|<fail>', '<which> _ <most>', 'by|per|each|every <kinds>', 'who'],
  /** One of many, by its id. */
  example: [
    'example*|sample|specimen',
    'one|a|single <fail>|<ill>|bad',
    'first|last|one _ <fail> _ <units>|<runs>|?',
    '<tell> one',
    'an instance',
  ],
  /** When anything was heard of it at all, and when it was well. */
  heard: [
    'last <sign>',
    'last time _ <sign>|<well>|<done>',
    'hear|heard _ from|of',
    '<silent>',
    '<end> sending|reporting|logging|talking|emitting',
    'when _ last _ <sign>|<well>|<done>',
    'last _ <sign>|<done>',
  ],
  /** Of those that are well. */
  well: ['<which> <be> <well>', '<tell> _ <well>', '<which> _ not <affect>', '<be> <which> <well>'],
  /** Who stands before it: calls it, needs it, is hit where it fails. */
  callers: [
    'who|<which> _ <call> _ @component|it|them|this|that',
    'blast radius',
    '<call> by|from _ @component',
    '<which> <call> @component',
    'if @component',
    '<kinds> <call> @component',
    '@component <be> <call> by',
    '@component _ <fail>|<gone>|dead|away|offline',
    'dependent*|caller*|upstream*|consumers|clients _ @component',
    '@component _ dependent*|caller*|upstream*|consumers|clients',
  ],
  /** Something done instead of told. */
  act: [
    '^ restart|reboot|kill|rollback|scale|redeploy|deploy|delete|drain|retry|rerun|stop|disable|enable|failover _ @component|@id|it',
  ],
  /** What to do about it. */
  advice: [
    'what <may> i|we|you|one _ do|try|check|change|fix',
    'what do i|we|you do',
    'what <will>|<be> i|we _ do',
    'what to do|try|check|change|fix',
    'what now|next',
    'next step|steps|action|actions',
    'how <do>|<may> i|we|you|one <fix>',
    'how to <fix>|recover|react|respond|proceed',
    'how <do>|<may>|<be> i|we|one _ recover|react|respond|proceed|<fix>',
    '<advice>',
  ],
  /** A yes or a no: it begins with what is or does. */
  whether: ['^ <be>|<do>|<have>|<may>', '^ @component <call>', '? <be>|<do>|<have>'],
} as const;

export type Wanted = keyof typeof WANTED;
