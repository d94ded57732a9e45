/** What a question was understood to ask: the shape between reading it and answering it. */
import type { ComponentRef } from '../../model/block.ts';
import type { Json } from '../../model/json.ts';
import type { TimeRangeInput } from '../params.ts';
import type { Intent } from './cues.ts';
import type { KnownId } from './known.ts';
import type { Saying } from './sayings.ts';
import type { Wanted } from './wanted.ts';

export interface Understood {
  /** Null: the question is about something else, or about nothing. */
  intent: Intent | null;
  /** The forms of an answer that are told first. */
  wanted: ReadonlySet<Wanted>;
  components: ComponentRef[];
  ids: KnownId[];
  /** Replicas that were named: each stands for its component. */
  nodes: readonly string[];
  /** Which kind of component is asked about where none is named: "the agents"; null: any. */
  type: string | null;
  /** A text to look for in messages. */
  text: string | null;
  /** What the text was found to be. */
  said: Saying | null;
  /** Whose values it is about: the `zone` of "which zone fails"; null: none or any. */
  attribute: string | null;
  /** Whom it is not about: "what else is slow". */
  except: readonly ComponentRef[];
  /** Whom the question before was about. */
  before: readonly ComponentRef[];
  /** Empty: the time that the answer takes by itself. */
  range: TimeRangeInput;
  /** The time that `range` is held against. */
  against: { start: string; end: string } | null;
  /** As they were said: "v1.2", "2.4.0". */
  versions: readonly string[];
  /** Names and ids that nothing goes by. */
  unknown: { text: string; near: ComponentRef[]; isId: boolean }[];
  /** What must be asked back. */
  unclear: Unclear | null;
  /** 0 to 1: how sure it is that this is what was meant. */
  certainty: number;
  /** Which parts the question left to its context. */
  fromContext: string[];
  known: readonly ComponentRef[];
  /** Nanoseconds; what "now" meant. */
  now: bigint;
  words: readonly string[];
}

export interface Unclear {
  what: 'question' | 'component_id' | 'operation_id' | 'time_range';
  question: string;
  choices: string[];
}

/** What an answer says that it understood; also what a follow-up takes as its context. */
export interface Parsed {
  intent: Intent | null;
  components: string[];
  ids: string[];
  time_range: string | null;
  /** Held against it. */
  against?: string;
  text?: string;
  versions?: string[];
  unknown?: string[];
  from_context?: string[];
  /** Components in the order in which the answer told of them: what "the second one" counts. */
  mentioned?: string[];
  [more: string]: Json | undefined;
}

export const CHOICES_MAX = 10;

/** @param told of in the answer, in this order */
export function parsedOf(understood: Understood, told: readonly ComponentRef[] = []): Parsed {
  const { intent, components, ids, range, against, text, versions, unknown, fromContext, before } = understood;
  // Of a conversation about one after the other the last two are "both".
  const spoken = [...before.slice(-1), ...components].map((ref) => [shortName(ref), ref] as const);
  const mentioned = told.length > 1 || components.length !== 1 ? told : [...new Map(spoken).values()];
  return {
    intent,
    components: components.map(shortName),
    ids: ids.map(({ id }) => id),
    time_range: range.time_range ?? (range.start == null ? null : `${range.start}/${range.end ?? ''}`),
    ...(against !== null && { against: `${against.start}/${against.end}` }),
    ...(text !== null && { text }),
    ...(versions.length > 0 && { versions: [...versions] }),
    ...(unknown.length > 0 && { unknown: unknown.map((each) => each.text) }),
    ...(fromContext.length > 0 && { from_context: fromContext }),
    ...(mentioned.length > 1 && { mentioned: mentioned.slice(0, MENTIONED_MAX).map(shortName) }),
  };
}

const shortName = ({ type, id }: ComponentRef) => (type === 'service' ? id : `${type}/${id}`);
// Nobody counts further than a hand.
const MENTIONED_MAX = 5;
