/**
 * Every field of OTLP has a place in the debug event. Messages are filled from the descriptors, each leaf with a value of its own, sent
 * through the walk and a block, and every value must be found in what is read back. A field that a new version of OTLP
 * adds to proto/ fails here until somebody decides where it goes.
 */
import { type create, type DescField, type DescMessage, ScalarType, toBinary } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { describe, expect, test } from 'vitest';
import { decodeIndex, decodePayload, type Signal } from '../../model/block.ts';
import { buildBlock } from '../../model/block-builder.ts';
import { REQUEST_SCHEMAS } from '../../otlp/json.ts';
import { readBlock } from '../../otlp/read.ts';
import { indexRequest } from '../../otlp/walk.ts';

/** Fields that have no place on purpose. */
const WITHOUT_PLACE = new Map([
  ['string_value_strindex', 'an index into a string table that only profiles carry (R29)'],
  ['key_strindex', 'the same, for keys'],
]);

describe.each(['log', 'span', 'metric'] as const)('%s', (signal) => {
  const shapes = oneofChoices(REQUEST_SCHEMAS[signal]);
  test.each(shapes)('every field has a place (oneof member %i)', (choice) => {
    const { message, leaves } = filled(REQUEST_SCHEMAS[signal], choice);
    const events = JSON.stringify(eventsOf(signal, toBinary(REQUEST_SCHEMAS[signal] as DescMessage, message)));
    expect(leaves.length).toBeGreaterThan(10);
    const lost = leaves.filter(({ shown }) => !shown.some((text) => events.includes(text))).map(({ path }) => path);
    expect(lost).toEqual([]);
  });
});

interface Leaf {
  path: string;
  /** Any of these texts in the event shows that the value arrived. */
  shown: string[];
}

/** A message with every field set; of each oneof the member number `choice`, round robin. */
function filled(schema: DescMessage, choice: number): { message: ReturnType<typeof create>; leaves: Leaf[] } {
  const leaves: Leaf[] = [];
  let counter = 0;

  function fill(desc: DescMessage, path: string, depth: number) {
    const message = reflect(desc);
    for (const field of desc.fields) {
      if (WITHOUT_PLACE.has(field.name)) continue;
      if (field.oneof !== undefined) {
        const members = field.oneof.fields.filter((member) => !WITHOUT_PLACE.has(member.name));
        const scalars = members.filter((member) => member.fieldKind !== 'message');
        const eligible = depth > 12 && scalars.length > 0 ? scalars : members;
        if (field !== eligible[choice % eligible.length]) continue;
      }
      const at = `${path}.${field.name}`;
      if (field.fieldKind === 'list') {
        const list = message.get(field);
        list.add(field.listKind === 'message' ? fill(field.message, at, depth + 1) : value(field, at));
      } else if (field.fieldKind === 'message') message.set(field, fill(field.message, at, depth + 1));
      else message.set(field, value(field, at));
    }
    return message;
  }

  function value(field: DescField, path: string): never {
    counter++;
    const leaf = (value: unknown, ...shown: string[]) => {
      leaves.push({ path, shown });
      return value as never;
    };
    if (field.fieldKind === 'enum' || (field.fieldKind === 'list' && field.listKind === 'enum')) {
      const last = field.enum!.values.at(-1)!;
      const word = last.name.toLowerCase().split('_').at(-1)!;
      return leaf(last.number, `"${word}"`, `:${last.number}`);
    }
    const number = 1000 + counter;
    switch ((field as { scalar: ScalarType }).scalar) {
      case ScalarType.STRING:
        return leaf(`text-${number}`, `text-${number}`);
      case ScalarType.BOOL:
        return leaf(true, 'true');
      case ScalarType.DOUBLE:
        return leaf(number + 0.5, `${number}.5`);
      case ScalarType.BYTES: {
        const length = field.jsonName.toLowerCase().endsWith('traceid') ? 16 : 8;
        const bytes = new Uint8Array(length).fill(counter);
        return leaf(bytes, bytes.toHex(), bytes.toBase64());
      }
      case ScalarType.FIXED64:
      case ScalarType.UINT64:
      case ScalarType.INT64:
      case ScalarType.SFIXED64: {
        const nanos = BigInt(number);
        return leaf(nanos, `.00000${number}Z`, `${nanos}`);
      }
      case ScalarType.FIXED32:
      case ScalarType.UINT32:
      case ScalarType.INT32:
      case ScalarType.SINT32:
        // A flag word with its lowest bit set would say that a point has no value.
        return leaf(number * 2, `${number * 2}`);
      default:
        throw new Error(`no value for ${path}`);
    }
  }

  return { message: fill(schema, '', 0).message as ReturnType<typeof create>, leaves };
}

/** 0 … one less than the largest number of members that a oneof below the schema has. */
function oneofChoices(schema: DescMessage): number[] {
  const seen = new Set<DescMessage>();
  let most = 1;
  (function visit(desc: DescMessage) {
    if (seen.has(desc)) return;
    seen.add(desc);
    for (const oneof of desc.oneofs) most = Math.max(most, oneof.fields.length);
    for (const field of desc.fields) if (field.message !== undefined) visit(field.message);
  })(schema);
  return Array.from({ length: most }, (_, i) => i);
}

function eventsOf(signal: Signal, body: Uint8Array) {
  const { records } = indexRequest(signal, body);
  const block = buildBlock('default', 0, '2026-01-01', records);
  const found = readBlock(decodeIndex(block.index), decodePayload(block.payload));
  return Array.from({ length: found.count }, (_, i) => found.event(i, () => undefined));
}
