/**
 * A question becomes what it asks for, about whom and over which time. The words are read without the data; what they name is looked up in it,
 * and what the question leaves out comes from the conversation so far.
 */
import type { ComponentRef } from '../../model/block.ts';
import { refName } from '../agent/say.ts';
import { type Asked, saidInJson, takeFromContext } from './context.ts';
import { intentOf, WEAK, wantedOf } from './intents.ts';
import { type AskFacts, knownComponents } from './known.ts';
import { TYPE_WORDS, WHOLE_WORDS } from './lexicon.ts';
import { findNames, type NameMatch } from './names.ts';
import { findSaying, type Saying } from './sayings.ts';
import {
  findAttribute,
  findBareIds,
  findMarkedIds,
  findNodes,
  findPhrase,
  findRest,
  namesStateKey,
} from './subjects.ts';
import { findTimes, type SaidTime, VERSION } from './times.ts';
import { CHOICES_MAX, type Understood } from './understood.ts';
import { means } from './vocabulary.ts';
import { timesOf } from './window.ts';
import { isException, isForeign, mendWords, splitIdentifiers, type Word, wordsOf } from './words.ts';

export async function understand(facts: AskFacts, tenant: string, asked: Asked, now: bigint): Promise<Understood> {
  const { question, context } = saidInJson(asked);
  const words = wordsOf(question);
  const known = await knownComponents(facts, tenant);
  const saying = await findSaying(facts, tenant, words, known);
  const said = findTimes(words, now);
  const wasMarked = await findMarkedIds(facts, tenant, words);
  const nodes = await findNodes(facts, tenant, words, known);
  const matches = findNames(words, known);
  const bareIds = await findBareIds(facts, tenant, words);
  // In another language only names say something: its words are neither slips nor names of ours.
  const foreign = isForeign(words);
  if (!foreign) mendWords(words);
  splitIdentifiers(words);
  const isNamed = matches.length + nodes.length > 0;
  const { text, unknown } = foreign ? NOTHING_ELSE : await findRest(facts, tenant, words, known, isNamed);
  const scored = foreign ? UNREAD : intentOf(words);
  const isAboutWords = scored.intent === 'errors' || scored.intent === 'explain' || scored.intent === 'patterns';
  const phrase =
    text === null && saying === null && isAboutWords && wasMarked.length + bareIds.length === 0
      ? await findPhrase(facts, tenant, words)
      : null;

  const falls = MAY_FALL_ON.has(scored.intent) ? await findAttribute(facts, tenant, words, unknown) : null;
  // "Failures per channel": the attribute, not a part of the name of a component.
  const isAttribute = ({ text, likeness }: NameMatch) => falls?.isAsked && likeness < 1 && text === falls.said;
  const isLeftOut = ({ from }: NameMatch) => words.slice(Math.max(0, from - 2), from).some(leavesOut);
  const meant = matches.filter((match) => isMeantWhole(match) && !isLeftOut(match) && !isAttribute(match));
  const understood: Understood = {
    intent: scored.intent,
    wanted: foreign ? new Set() : wantedOf(words),
    components: [...meant.flatMap(({ refs }) => refs), ...nodes.map(({ ref }) => ref)],
    ids: [...wasMarked, ...bareIds],
    nodes: nodes.map(({ node }) => node),
    type: null,
    text: saying?.text ?? text ?? phrase,
    said: saying,
    attribute: null,
    before: [],
    except: matches.filter(isLeftOut).flatMap(({ refs }) => refs),
    versions: words.filter(({ role, word }) => role === undefined && VERSION.test(word)).map(({ word }) => word),
    ...timesOf(said.times),
    unknown: unknown.filter((each) => each.text !== falls?.said),
    unclear: null,
    certainty: scored.certainty * Math.min(1, ...matches.map(({ likeness }) => likeness)),
    fromContext: [],
    known,
    now,
    words: words.filter(({ role }) => role === undefined).map(({ word }) => word),
  };
  understood.components = distinct(understood.components);
  const ambiguous = matches.find((match) => !isMeantWhole(match) && !isLeftOut(match) && !isAttribute(match));
  if (ambiguous !== undefined)
    understood.unclear = {
      what: 'component_id',
      question: `Which ${ambiguous.text} is meant?`,
      choices: ambiguous.refs.map(refName),
    };
  else if (said.untold !== null)
    understood.unclear = { what: 'time_range', question: `When was the ${said.untold}?`, choices: [] };
  takeTypeForName(understood, words);
  if (scored.weight <= WEAK && (await namesStateKey(facts, tenant, understood, words))) understood.intent = 'state';
  understood.attribute = falls?.key ?? null;
  // A value alone, "premium users?", asks how they fare; beside other questions it is a word that was logged.
  if (falls?.isAsked || (falls !== null && understood.components.length === 0 && BY_VALUE.has(scored.intent)))
    understood.intent = 'affected';
  takeFromContext(understood, context, words, scored.weight);
  settle(understood, words, said.times, scored.weight);
  // What was found in the data says what is asked for where no cue does.
  if (understood.intent !== scored.intent && understood.certainty === 0) understood.certainty = FOUND;
  return understood;
}

/** Questions that may ask on which values of an attribute failures fall. */
const MAY_FALL_ON: ReadonlySet<unknown> = new Set([
  'explain',
  'health',
  'errors',
  'patterns',
  'calls',
  'affected',
  null,
]);
const BY_VALUE: ReadonlySet<unknown> = new Set(['affected', 'calls', 'health', null]);
/** "All fine except orders", "other than orders". */
const leavesOut = ({ word, role }: Word) => role === undefined && LEAVING_OUT.has(word);
const LEAVING_OUT = new Set('except excepting excluding besides beside apart ignoring without other'.split(' '));
/** "The robots" are all of them. */
const isMeantWhole = ({ refs, isPlural }: NameMatch) => refs.length === 1 || (isPlural && refs.length <= CHOICES_MAX);
const NOTHING_ELSE = { text: null, unknown: [] };
const UNREAD = { intent: null, certainty: 0, weight: 0 };

/** "The workflow": the one of its type, or a question back; "which workflows": those of the type. */
function takeTypeForName(understood: Understood, words: readonly Word[]): void {
  if (understood.components.length + understood.ids.length + understood.unknown.length > 0) return;
  if (understood.unclear !== null) return;
  for (const [i, { word, role }] of words.entries()) {
    const type = TYPE_WORDS[word];
    if (type === undefined || role !== undefined || word === 'system') continue;
    const isPlural = word.endsWith('s');
    // Whoever says "services" may mean all that runs.
    if (type !== null && type !== 'service' && (isPlural || WHOLE_WORDS.has(words[i - 1]?.word ?? ''))) {
      understood.type = type;
      return;
    }
    if (isPlural) continue;
    const next = words[i + 1]?.word ?? '';
    if (!DEFINITE.has(words[i - 1]?.word ?? '') || DRAWINGS.has(next) || SOUGHT.has(next)) continue;
    const of = understood.known.filter((ref) => type === null || ref.type === type);
    if (of.length === 1) understood.components = [of[0]!];
    else
      understood.unclear = {
        what: 'component_id',
        question: of.length === 0 ? `No ${word} is known.` : `Which ${word} is meant?`,
        choices: (of.length === 0 ? understood.known : of).slice(0, CHOICES_MAX).map(refName),
      };
    return;
  }
}

/** "The service map" is of all of them. */
const DRAWINGS = new Set(['map', 'graph', 'mesh', 'topology', 'list', 'overview', 'landscape']);
/** "The service that fails" is to be found. */
const SOUGHT = new Set(['responsible', 'behind', 'that', 'which', 'causing', 'with', 'where']);
const DEFINITE = new Set(['the', 'this', 'that', 'my', 'our', 'a', 'an']);

/** What structure says beyond words: two names want comparing, an id alone wants telling. */
function settle(understood: Understood, words: readonly Word[], times: readonly SaidTime[], weight: number): void {
  const { components, ids, unknown, range, text, versions, wanted } = understood;
  const named = components.length + ids.length + unknown.length;
  const isExact = range.start != null;
  const isSeveral = components.length > 1 || ids.length > 1;
  if (ids.length === 0 && BY_VERSION.has(understood.intent!) && asksForVersion(understood, words))
    understood.intent = 'compare';
  if (understood.said !== null) settleSaid(understood, understood.said, weight, words);
  if (words.some(isException) && !OF_THROWN.has(understood.intent)) understood.intent = 'errors';
  if (isSeveral && words.some(({ word, role }) => role === undefined && /^(?:than|vs|versus|compar.*)$/.test(word)))
    understood.intent = 'compare';
  if (wanted.has('heard') && components.length === 1 && ids.length === 0 && OF_SIGNS.has(understood.intent))
    understood.intent = 'where';
  if (wanted.has('example') && ids.length === 0 && understood.intent === 'explain') understood.intent = 'errors';
  switch (understood.intent) {
    case null:
      if (versions.length > 0 && ids.length + unknown.length === 0) understood.intent = 'compare';
      // A name or an id alone asks how it is.
      if (ids.length > 0) understood.intent = 'where';
      // A word of the logs within a longer sentence may be there by chance.
      else if (
        text !== null &&
        (words.length <= TEXT_WORDS || components.length > 0 || words.some((word) => word.quoted || isException(word)))
      )
        understood.intent = 'errors';
      else if (components.length > 0 && words.some(({ word }) => HTTP_FAILURE.test(word)))
        understood.intent = 'explain';
      else if (components.length > 0 || understood.unclear?.what === 'component_id') understood.intent = 'health';
      else if (unknown.some(({ isId }) => isId)) understood.intent = 'where';
      // A strange word alone is a name; in a sentence that asks for nothing known it is only strange.
      else if (unknown.length > 0 && (words.length <= BARE_WORDS || unknown.some(({ text }) => /\d/.test(text))))
        understood.intent = 'health';
      understood.certainty = 0.7;
      break;
    case 'root_cause':
      if (named > 0) understood.intent = 'explain';
      // "Did anything break since": what is new then.
      else if (wanted.has('whether') && range.start != null && range.end == null) understood.intent = 'changes';
      break;
    case 'explain':
      if (named === 0 && text === null && isExact && times.length > 0) understood.intent = 'root_cause';
      break;
    case 'health':
      // "Geocoder 429, do we care?": what was said is what it is about.
      if (text !== null && named === 0 && weight < SURE && !wanted.has('whether'))
        understood.intent = words.some(({ word }) => means(word, 'ill', 'fail', 'trouble')) ? 'explain' : 'errors';
      if (ids.length > 0 && components.length === 0) understood.intent = 'progress';
      // A run that has ended says more of that than its rate of errors.
      if (components.some(({ type }) => type === 'workflow') && words.some(({ word }) => word.startsWith('succe')))
        understood.intent = 'progress';
      break;
    case 'inventory':
      if (ids.length > 0) understood.intent = 'where';
      break;
    case 'slow':
      if (isSeveral && words.some(({ word }) => word === 'or')) understood.intent = 'compare';
      break;
    case 'compare':
      if (components.length > 1 || ids.length > 1 || understood.against !== null || unknown.length > 0) break;
      if (versions.length > 0 || asksForVersion(understood, words)) break;
      // "Node a with node b": the replicas of one.
      understood.intent = countOfNames(words) > 1 && components.length === 1 ? 'consistency' : 'changes';
      break;
    case 'where':
      if (ids.length > 0 || unknown.length > 0 || (wanted.has('heard') && components.length === 1)) break;
      // "Which step is stuck": of what has steps.
      understood.intent =
        components.every(({ type }) => type === 'workflow') && words.some(({ word }) => UNDER_WAY.has(word))
          ? 'progress'
          : 'explain';
      break;
    default:
  }
}

/** "When did it last answer": when anything, or anything good, was heard of it. */
const OF_SIGNS: ReadonlySet<unknown> = new Set(['health', 'errors', 'explain', 'traffic', null]);

/** "Did 4.2.0 cause it", "which version is slow". */
function asksForVersion({ versions, components }: Understood, words: readonly Word[]): boolean {
  if (versions.length > 0) return true;
  return (
    components.length === 1 &&
    words.some(({ word }, i) => /^versions?$/.test(word) && WHICH.has(words[i - 1]?.word ?? ''))
  );
}

const BY_VERSION: ReadonlySet<string> = new Set(['changes', 'explain', 'root_cause', 'slow', 'health']);
const WHICH = new Set(['which', 'what']);

/** A message that stands alone asks why it was said, or who says it where it is no complaint; the name of a span how it fares. */
function settleSaid(understood: Understood, { kind, level }: Saying, weight: number, words: readonly Word[]): void {
  const isComplaint = level === 'ERROR' || level === 'CRITICAL';
  const isAlone = weight <= WEAK || words.every(({ role }) => role !== undefined);
  const { intent } = understood;
  if (kind === 'span') {
    if (
      intent === null ||
      intent === 'health' ||
      intent === 'traffic' ||
      (isAlone && intent !== 'explain' && intent !== 'errors')
    )
      understood.intent = 'slow';
  } else if (intent === null || isAlone || intent === 'health') understood.intent = isComplaint ? 'explain' : 'errors';
}

/** What may be asked of an exception beside who throws it. */
const OF_THROWN: ReadonlySet<unknown> = new Set([
  'explain',
  'errors',
  'patterns',
  'changes',
  'root_cause',
  'prediction',
  'affected',
]);

/** Runs of words that were taken for names. */
function countOfNames(words: readonly Word[]): number {
  return words.filter(({ role }, i) => role === 'name' && words[i - 1]?.role !== 'name').length;
}

const FOUND = 0.8;
/** From it on the words say what is asked for, whatever was found in the data. */
const SURE = 6;
const HTTP_FAILURE = /^[45]\d\ds?$/;
const UNDER_WAY = new Set(['stuck', 'stalled', 'hanging', 'hangs', 'waiting', 'blocked']);
const BARE_WORDS = 2;
const TEXT_WORDS = 4;

function distinct(refs: readonly ComponentRef[]): ComponentRef[] {
  return [...new Map(refs.map((ref) => [refName(ref), ref])).values()];
}
