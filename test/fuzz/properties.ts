/** What must hold of any bytes that anybody sends, on the way from a request's body to the events that are read back. */
import { isDeepStrictEqual } from 'node:util';
import { DebugError } from '../../base/errors.ts';
import { attributeProbe, mayHoldAttributes } from '../../model/attribute-filter.ts';
import { compressBlockSync, decodeIndex, decodePayload, type Signal } from '../../model/block.ts';
import { BlockBuilder } from '../../model/block-builder.ts';
import { type DebugEvent, EVENT_TYPES } from '../../model/event.ts';
import { eventId } from '../../model/ids.ts';
import { mayHoldText, textProbe } from '../../model/text-filter.ts';
import { jsonToProtobuf, protobufToJson } from '../../otlp/json.ts';
import { DECODE_ERROR_KEY, readBlock } from '../../otlp/read.ts';
import { indexRequest } from '../../otlp/walk.ts';
import type { Encoding } from '../../receiver/export.ts';
import type { Request } from './grammar.ts';

export interface Taken {
  accepted: number;
  rejected: number;
  events: DebugEvent[];
  /** Messages and attributes that a search by their own text would pass over. */
  hidden: string[];
}

/** A property that does not hold. */
export class Broken extends Error {}

/** The trip of any body: what is kept of it, or null where it is refused as malformed. @throws Broken */
export function take(signal: Signal, encoding: Encoding, body: Uint8Array): Taken | null {
  let index: ReturnType<typeof indexRequest>;
  try {
    index = indexRequest(signal, encoding === 'json' ? jsonToProtobuf(signal, body) : body);
  } catch (error) {
    if (error instanceof DebugError && error.code === 'MALFORMED') return null;
    throw new Broken(`refused as no sender's mistake: ${(error as Error)?.stack ?? error}`);
  }
  const { accepted, rejected, records, rejectedReason } = index;
  let counted = 0;
  for (const { part } of records) if (signal !== 'span' || part === 0) counted++;
  hold(counted === accepted, `${accepted} accepted, but ${counted} found`);
  hold(
    (rejected === 0) === (rejectedReason === ''),
    `${rejected} rejected, because of ${JSON.stringify(rejectedReason)}`,
  );
  const events: DebugEvent[] = [];
  const hidden: string[] = [];
  for (let start = 0; start < records.length; start += BLOCK_RECORDS) {
    const count = Math.min(BLOCK_RECORDS, records.length - start);
    const builder = new BlockBuilder(BLOCK_RECORDS);
    builder.begin(records, RECEIVED_AT);
    for (let i = 0; i < count; i++) builder.add(start + i, null);
    const block = compressBlockSync(builder.build('default', 0, '2026-01-01'));
    const index = decodeIndex(block.index);
    const { attributes } = block.filters;
    const read = readBlock(index, decodePayload(block.payload));
    hold(read.count === count, `${count} records written, ${read.count} read`);
    for (let i = 0; i < count; i++) {
      const event = read.event(i, () => undefined);
      const { time, hash, type } = records.record(start + i);
      hold(event.id === eventId(time, hash), 'an event read under another id than it was accepted');
      hold(event.event_type === EVENT_TYPES[type], 'an event read as another type than it was accepted');
      hold(JSON.stringify(event).isWellFormed(), 'an event that no answer can carry');
      const probe = textProbe([event.message]);
      if (probe !== null && !mayHoldText(index.texts, probe)) hidden.push(event.message);
      for (const { attributes: own } of [{ attributes: event.data }, event.scope, event.resource]) {
        for (const [key, value] of Object.entries(own)) {
          if (key === DECODE_ERROR_KEY) continue;
          const pair = [key, typeof value === 'string' ? value : JSON.stringify(value)] as const;
          const probe = attributeProbe([pair]);
          if (probe !== null && !mayHoldAttributes(attributes, probe)) hidden.push(pair.join('='));
        }
      }
      events.push(event);
    }
  }
  return { accepted, rejected, events, hidden };
}

/** What must hold of a valid request: all of it is counted, either encoding says the same, and the archive's form too. @throws Broken */
export function checkValid({ signal, protobuf, json, items }: Request): Taken {
  const taken = take(signal, 'protobuf', protobuf);
  if (taken === null) throw new Broken('a valid protobuf request is refused');
  hold(
    taken.accepted + taken.rejected === items,
    `${items} items sent, ${taken.accepted} accepted, ${taken.rejected} rejected`,
  );
  hold(!taken.events.some(({ data }) => DECODE_ERROR_KEY in data), 'a valid record that cannot be decoded');
  hold(
    taken.hidden.length === 0,
    `messages or attributes that a search would pass over: ${JSON.stringify(taken.hidden)}`,
  );
  const twin = take(signal, 'json', new TextEncoder().encode(json));
  hold(isDeepStrictEqual(twin, taken), 'JSON and protobuf become other events');
  if (taken.rejected === 0) {
    const archived = new TextEncoder().encode(JSON.stringify(protobufToJson(signal, protobuf)));
    hold(isDeepStrictEqual(take(signal, 'json', archived), taken), 'what is archived reads back otherwise');
  }
  return taken;
}

/** JSON means what JSON.parse makes of it: neither more nor less is read than by the language's own parser. @throws Broken */
export function checkJson(signal: Signal, body: Uint8Array): void {
  let plain: string;
  try {
    plain = JSON.stringify(JSON.parse(new TextDecoder().decode(body), asWritten));
  } catch (error) {
    // A reviver recurses: what nests too deep for it is no mistake of the text.
    if (error instanceof SyntaxError) hold(take(signal, 'json', body) === null, 'what is no JSON is taken');
    return;
  }
  const [given, again] = [body, new TextEncoder().encode(plain)].map((bytes) => protobufOf(signal, bytes));
  // What is overruled by an equal key further on is refused all the same where it is no value of its field.
  if (given === 'MALFORMED' && keysIn(new TextDecoder().decode(body)) > keysIn(plain)) return;
  hold(isDeepStrictEqual(given, again), 'JSON is read otherwise than the same JSON written plainly');
}

const BLOCK_RECORDS = 1024;
const RECEIVED_AT = 1_768_478_400_000_000_000n;

/** Numbers keep their digits: the language's parser would round them. */
function asWritten(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' ? rawJson(context!.source!) : value;
}

const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

function keysIn(text: string): number {
  return text.match(/"(?:[^"\\]|\\.)*"\s*:/g)?.length ?? 0;
}

function protobufOf(signal: Signal, body: Uint8Array): Uint8Array | string {
  try {
    return jsonToProtobuf(signal, body);
  } catch (error) {
    return (error as DebugError).code;
  }
}

function hold(holds: boolean, what: string): void {
  if (!holds) throw new Broken(what);
}
