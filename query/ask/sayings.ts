/**
 * What somebody logged, and how spans are called, where it stands in a question as it was said: a message or a piece of it that was pasted
 * ("connection pool exhausted", a whole line with its time and level), the name of a span ("POST /orders slow?"). Looked for before
 * anything else is read, so that no word of it is taken for a time, a name or something that is asked.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { Level } from '../../model/event.ts';
import { type AskFacts, allTemplates } from './known.ts';
import { CONCEPTS } from './vocabulary.ts';
import { isKnownWord, type Word, wordsOf } from './words.ts';

export interface Saying {
  kind: 'message' | 'span';
  /** What is told of it, and stands in every message of it; a span's whole name. */
  text: string;
  /** Of messages. */
  template_id: string | null;
  level: Level | null;
  components: readonly ComponentRef[];
}

/** Marks its words as `text`, with what surrounds a line in a log. @returns null where nothing that was said stands in the question */
export async function findSaying(
  facts: AskFacts,
  tenant: string,
  words: readonly Word[],
  known: readonly ComponentRef[],
): Promise<Saying | null> {
  if (words.length > WORDS_MAX) return null;
  const names = new Set(known.map(({ id }) => id.toLowerCase()));
  const spoken = words.filter(({ text, word }) => !isDressing(text) && !names.has(word)).length;
  const message = await findMessage(facts, tenant, words, spoken, names);
  if (message === null) return findSpan(facts, tenant, words);
  for (const word of words) if (isDressing(word.text)) word.role ??= 'text';
  for (const line of linesOf(words).filter(isPasted))
    for (const word of line) if (!names.has(word.word)) word.role ??= 'text';
  return message;
}

/** What is left of a line that was pasted: most of it was said by somebody, or it tells where in the code that was, and nothing in it asks. */
function isPasted(line: readonly Word[]): boolean {
  const said = line.filter(({ role }) => role === 'text').length;
  if (line[0] !== undefined && FRAME.has(line[0].word) && said > 0) return true;
  return 2 * said >= line.length && !line.some(({ role, word }) => role === undefined && ASKING.has(word));
}

function linesOf(words: readonly Word[]): Word[][] {
  const lines: Word[][] = [[]];
  for (const word of words) {
    lines.at(-1)!.push(word);
    if (word.breaks) lines.push([]);
  }
  return lines;
}

async function findMessage(
  facts: AskFacts,
  tenant: string,
  words: readonly Word[],
  spoken: number,
  names: ReadonlySet<string>,
): Promise<Saying | null> {
  const templates = await allTemplates(facts, tenant);
  let best: { run: Run; template: (typeof templates)[number] } | null = null;
  for (const template of templates) {
    if (template.template === null || template.template_id === null) continue;
    const elements = elementsOf(template.template);
    const run = longestRun(words, elements, names);
    if (run === null || run.weight <= (best?.run.weight ?? 0)) continue;
    const isWholeQuestion = run.words - run.names >= spoken;
    const isWholeMessage = run.elements === elements.length;
    // A few words in a row may be there by chance; where nothing else was said they are the question.
    const least = isWholeQuestion ? (run.isStrange ? 1 : 2) : isWholeMessage ? 3 : 4;
    if (run.weight >= least) best = { run, template };
  }
  if (best === null) return null;
  const { template_id, template, level, components } = best.template;
  mark(words, best.run);
  return { kind: 'message', text: plainestOf(template!), template_id, level, components };
}

/** By the names of the newest spans, each of them whole; the longest wins. */
async function findSpan(facts: AskFacts, tenant: string, words: readonly Word[]): Promise<Saying | null> {
  const { data } = await facts.events(tenant, { event_type: ['span'], limit: SPANS_MAX });
  const named = Map.groupBy(data, ({ name }) => name ?? '');
  let best: { run: Run; name: string } | null = null;
  for (const name of named.keys()) {
    const elements = elementsOf(name);
    const run = longestRun(words, elements, NOBODY);
    if (run === null || run.elements !== elements.length || run.words <= (best?.run.words ?? 0)) continue;
    // One everyday word is no name.
    if (run.words > 1 || run.isStrange) best = { run, name };
  }
  if (best === null) return null;
  mark(words, best.run);
  const refs = new Map(
    named
      .get(best.name)!
      .map(({ component_type: type, component_id: id }) => [`${type}/${id}`, { type, id } satisfies ComponentRef]),
  );
  return { kind: 'span', text: best.name, template_id: null, level: null, components: [...refs.values()] };
}

interface Run {
  from: number;
  /** Of the question, in a row. */
  words: number;
  /** Of these, components': they say nothing of what was logged. */
  names: number;
  /** Of what was said. */
  elements: number;
  /** Words that say something. */
  weight: number;
  /** Whether any of them belongs to the language of what was said alone. */
  isStrange: boolean;
}

/** A word, or what a variable part of a word fits; null: a part of one to three words of anything. */
type Element = string | RegExp | null;

function elementsOf(said: string): Element[] {
  return wordsOf(said.replace(/<\w+>/g, PLACE)).map(({ word }) => {
    if (!word.includes(PLACE)) return word;
    if (word.replaceAll(PLACE, '').replace(/[^\p{L}\p{N}]/gu, '') === '') return null;
    return new RegExp(`^${word.split(PLACE).map(RegExp.escape).join('.+')}$`);
  });
}

/** The longest piece of what was said that stands in the question. */
function longestRun(words: readonly Word[], elements: readonly Element[], names: ReadonlySet<string>): Run | null {
  let best: Run | null = null;
  for (let from = 0; from < words.length; from++)
    for (let at = 0; at < elements.length; at++) {
      if (elements[at] === null && at > 0) continue;
      const run = runFrom(words, from, elements, at, names);
      if (run !== null && (best === null || run.weight > best.weight || run.elements > best.elements)) best = run;
    }
  return best;
}

function runFrom(
  words: readonly Word[],
  from: number,
  elements: readonly Element[],
  first: number,
  names: ReadonlySet<string>,
): Run | null {
  let [word, element, weight, named] = [from, first, 0, 0];
  let isStrange = false;
  while (element < elements.length && word < words.length) {
    const wanted = elements[element]!;
    const { word: said, role, text } = words[word]!;
    if (role !== undefined) break;
    if (wanted === null) {
      // What fills the place ends where the next word is the one that follows it.
      const next = elements[element + 1];
      const longer = [1, 2, 3].find(
        (length) => next === undefined || next === null || fits(next, words[word + length]),
      );
      if (longer === undefined && word + 1 < words.length) break;
      // A number that was typed tells this message from the others.
      if (/^\d{3,}$/.test(said)) weight++;
      word += longer ?? 1;
    } else if (fits(wanted, words[word])) {
      if (names.has(said)) named++;
      // What a place of a template fits, an id, says nothing of what was said.
      else if (typeof wanted === 'string' && said.length > 1 && !/^\d+$/.test(said)) weight++;
      if (typeof wanted === 'string' && !names.has(said) && (!isKnownWord(said) || /[A-Z]{3}/.test(text)))
        isStrange = true;
      word++;
    } else break;
    element++;
  }
  return weight === 0 ? null : { from, words: word - from, names: named, elements: element - first, weight, isStrange };
}

function fits(wanted: Exclude<Element, null>, word: Word | undefined): boolean {
  if (word === undefined) return false;
  return typeof wanted === 'string' ? wanted === word.word : wanted.test(word.word);
}

function mark(words: readonly Word[], { from, words: count }: Run): void {
  for (const word of words.slice(from, from + count)) word.role = 'text';
}

/** The longest part of it that no record says differently. */
function plainestOf(template: string): string {
  const parts = template.split(/\S*<\w+>\S*/).map((part) => part.trim().replace(/[\s:,;(]+$/, ''));
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), '') || template;
}

/** How a line of a stack trace begins. */
const FRAME = new Set(['at', 'file', 'from']);
/** What a line that only shows something does not hold. */
const ASKING = new Set([
  ...[CONCEPTS.which, CONCEPTS.do, CONCEPTS.tell, CONCEPTS.may, CONCEPTS.have].flatMap((words) => words!),
  ...'why explain how when where is are was were any many again still since ago last now today yesterday slow common'.split(
    ' ',
  ),
]);
const NOBODY: ReadonlySet<string> = new Set();
const PLACE = '%%';
// Longer ones are read as they are: what is pasted whole is looked for in their first words by findRest.
const WORDS_MAX = 120;
// A page of the store; rarer spans are found by the text of their name.
const SPANS_MAX = 1000;
/** How a line of a log begins, what trails it, and where in the code it was said. */
const DRESSING = [
  /^\d{4}-\d\d-\d\d(?:T[\d:.+Z-]+)?$|^\d\d:\d\d:\d\d[.,\d]*Z?$/,
  /^(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)$|^Error$/,
  /^[\w.-]+=\S*$/,
  /\.[a-z]{2,4}:\d+(?::\d+)?$|^[A-Z][\w$]*(?:\.[\w$<>]+)+$/,
];
const isDressing = (text: string) => DRESSING.some((pattern) => pattern.test(text));
