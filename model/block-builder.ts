/**
 * From rows of record tables to a block ready to compress. Rows of many requests go into one block: each request's own codes are
 * translated to the block's when they are first met, and its bytes are copied in runs, not record by record.
 */
import { assert } from '../base/assert.ts';
import { AttributeFilterBuilder } from './attribute-filter.ts';
import {
  BLOCK_RECORDS_MAX,
  type Block,
  type BlockColumns,
  type BlockHeader,
  type BlockRecord,
  type ComponentRef,
  compressBlockSync,
  type Envelope,
  encodeIndex,
  keysOf,
  type RawBlock,
  type SourceEnvelope,
} from './block.ts';
import { ContentHash } from './hash.ts';
import { eventId } from './ids.ts';
import { NO_PAIRS } from './pair-lists.ts';
import {
  COMPONENT,
  CORRELATION,
  END,
  ENVELOPE,
  HASH_HIGH,
  HASH_LOW,
  KIND,
  MESSAGE_END,
  MESSAGE_START,
  OPERATION,
  PAIRS,
  PART,
  pairOf,
  RecordTable,
  ROW_WORDS,
  START,
  TIME_HIGH,
  TIME_LOW,
  TRACE,
} from './records.ts';
import { TextFilterBuilder } from './text-filter.ts';

/**
 * Makes one block of records that are held as objects, in the order given.
 * @param records 1 to BLOCK_RECORDS_MAX, of one tenant, shard and day
 * @param texts their messages, where the records do not say which they are
 * @param attributes theirs, which records that are held as objects do not know; absent: the filter of attributes says nothing
 */
export function buildBlock(
  tenant: string,
  shard: number,
  day: string,
  records: Iterable<BlockRecord>,
  { texts, attributes }: { texts?: TextFilterBuilder; attributes?: AttributeFilterBuilder } = {},
): Block {
  const all = [...records];
  const builder = new BlockBuilder(all.length);
  for (const record of all) {
    builder.begin(RecordTable.of(record), record.receivedAt);
    builder.add(0, record.template);
  }
  return compressBlockSync(builder.build(tenant, shard, day, texts, attributes));
}

/** Takes rows until it is told to build; after {@link BlockBuilder.clear} it may be used again, with the memory that it has. */
export class BlockBuilder {
  count = 0;
  readonly #capacity: number;
  /** Two words a record each, low first: the columns of 64 bits as they lie on disk. */
  readonly #time: Uint32Array;
  readonly #hash: Uint32Array;
  readonly #columns: Omit<BlockColumns, 'time' | 'hash'>;
  readonly #payload = new PayloadWriter();
  readonly #texts = new TextFilterBuilder();
  readonly #attributes = new AttributeFilterBuilder();
  /** The list that was added last: the parts of a span or a metric share theirs. */
  #addedPairs = NO_PAIRS;
  #components = new Dictionary<ComponentRef>();
  #correlations = new Dictionary<string>();
  #operations = new Dictionary<string>();
  #traces = new Dictionary<string>();
  #templates = new Dictionary<string>();
  #arrivals: bigint[] = [];
  #table!: RecordTable;
  // The table's codes in the block, plus one; 0 while they have not been met.
  readonly #componentCodes = new Translation();
  readonly #correlationCodes = new Translation();
  readonly #operationCodes = new Translation();
  readonly #traceCodes = new Translation();
  readonly #envelopeCodes = new Translation();

  /** @param capacity records, 1 to BLOCK_RECORDS_MAX */
  constructor(capacity: number) {
    assert(
      capacity > 0 && capacity <= BLOCK_RECORDS_MAX,
      `a block holds 1 to ${BLOCK_RECORDS_MAX} records, not ${capacity}`,
    );
    this.#capacity = capacity;
    this.#time = new Uint32Array(capacity * 2);
    this.#hash = new Uint32Array(capacity * 2);
    this.#columns = {
      start: new Uint32Array(capacity),
      length: new Uint32Array(capacity),
      part: new Uint32Array(capacity),
      received: new Uint32Array(capacity),
      component: new Uint16Array(capacity),
      correlation: new Uint16Array(capacity),
      operation: new Uint16Array(capacity),
      trace: new Uint16Array(capacity),
      template: new Uint16Array(capacity),
      envelope: new Uint16Array(capacity),
      type: new Uint8Array(capacity),
      signal: new Uint8Array(capacity),
      severity: new Uint8Array(capacity),
    };
  }

  get full(): boolean {
    return this.count === this.#capacity;
  }

  get payloadBytes(): number {
    return this.#payload.size;
  }

  /** The rows that follow are of this table. */
  begin(table: RecordTable, receivedAt: bigint): void {
    this.#table = table;
    this.#arrivals.push(receivedAt);
    this.#payload.begin(table.body);
    this.#addedPairs = NO_PAIRS;
    if (!table.pairs.known) this.#attributes.giveUp();
    this.#componentCodes.reset(table.components.length);
    this.#correlationCodes.reset(table.correlations.length + 1);
    this.#operationCodes.reset(table.operations.length + 1);
    this.#traceCodes.reset(table.traces.length + 1);
    this.#envelopeCodes.reset(table.envelopes.length);
  }

  add(row: number, template: string | null): void {
    const i = this.count++;
    const columns = this.#columns;
    const { words, signal } = this.#table;
    const at = row * ROW_WORDS;
    this.#time[i * 2] = words[at + TIME_LOW]!;
    this.#time[i * 2 + 1] = words[at + TIME_HIGH]!;
    this.#hash[i * 2] = words[at + HASH_LOW]!;
    this.#hash[i * 2 + 1] = words[at + HASH_HIGH]!;
    columns.part[i] = words[at + PART]!;
    columns.received[i] = this.#arrivals.length - 1;
    columns.type[i] = words[at + KIND]! & 0xff;
    columns.severity[i] = words[at + KIND]! >>> 8;
    columns.signal[i] = signal;
    columns.component[i] = this.#component(words[at + COMPONENT]!);
    columns.correlation[i] = this.#text(
      words[at + CORRELATION]!,
      this.#correlationCodes,
      this.#correlations,
      this.#table.correlations,
    );
    columns.operation[i] = this.#text(
      words[at + OPERATION]!,
      this.#operationCodes,
      this.#operations,
      this.#table.operations,
    );
    columns.trace[i] = this.#text(words[at + TRACE]!, this.#traceCodes, this.#traces, this.#table.traces);
    columns.template[i] = template === null ? 0 : this.#templates.position(template, template) + 1;
    columns.envelope[i] = this.#envelope(words[at + ENVELOPE]!);
    columns.start[i] = this.#payload.place(words[at + START]!, words[at + END]!);
    columns.length[i] = words[at + END]! - words[at + START]!;
    this.#texts.add(this.#table.body, words[at + MESSAGE_START]!, words[at + MESSAGE_END]!);
    if (words[at + PAIRS] !== this.#addedPairs) {
      this.#addedPairs = words[at + PAIRS]!;
      this.#attributes.addList(this.#table.pairs, this.#addedPairs);
    }
  }

  /** The payload is the builder's own memory: valid until it is cleared. */
  build(tenant: string, shard: number, day: string, texts = this.#texts, attributes = this.#attributes): RawBlock {
    const { count } = this;
    assert(count > 0, `a block holds 1 to ${BLOCK_RECORDS_MAX} records, not 0`);
    const { id, timeMin, timeMax } = this.#identity();
    const receivedAt = this.#arrivals.reduce((min, time) => (time < min ? time : min));
    const received = this.#arrivals.map((time) => Math.min(Number((time - receivedAt) / 1000n), 0xffff_ffff));
    const header: BlockHeader = {
      id,
      tenant,
      shard,
      day,
      timeMin,
      timeMax,
      receivedAt,
      components: this.#components.values,
      correlations: this.#correlations.values,
      operations: this.#operations.values,
      traces: this.#traces.values,
      templates: this.#templates.values,
      envelopes: this.#payload.envelopes,
    };
    const filters = { texts: texts.build(), attributes: attributes.build() };
    const index = encodeIndex(header, count, filters.texts, ({ time, hash, ...others }) => {
      wordsOf(time).set(this.#time.subarray(0, count * 2));
      wordsOf(hash).set(this.#hash.subarray(0, count * 2));
      for (const [name, column] of Object.entries(others)) {
        column.set(this.#columns[name as keyof typeof others].subarray(0, count));
      }
      for (let i = 0; i < count; i++) others.received[i] = received[others.received[i]!]!;
    });
    return {
      id,
      tenant,
      shard,
      day,
      timeMin,
      timeMax,
      count,
      index,
      payload: this.#payload.bytes(),
      keys: keysOf(header, {
        component: this.#columns.component.subarray(0, count),
        severity: this.#columns.severity.subarray(0, count),
      }),
      filters,
    };
  }

  clear(): void {
    this.count = 0;
    this.#payload.clear();
    this.#texts.clear();
    this.#attributes.clear();
    this.#components = new Dictionary();
    this.#correlations = new Dictionary();
    this.#operations = new Dictionary();
    this.#traces = new Dictionary();
    this.#templates = new Dictionary();
    this.#arrivals = [];
  }

  /** The range of the times, and the id: the newest time, then a hash of all times and hashes in their order. */
  #identity(): { id: string; timeMin: bigint; timeMax: bigint } {
    const time = this.#time;
    const hash = this.#hash;
    const ids = new ContentHash().reset();
    let min = 0;
    let max = 0;
    for (let i = 0; i < this.count * 2; i += 2) {
      ids.pair(time[i + 1]!, time[i]!).pair(hash[i + 1]!, hash[i]!);
      if (less(time, i, min)) min = i;
      if (less(time, max, i)) max = i;
    }
    const timeMax = pairOf(time[max + 1]!, time[max]!);
    return { id: eventId(timeMax, ids.digest()), timeMin: pairOf(time[min + 1]!, time[min]!), timeMax };
  }

  #component(code: number): number {
    const known = this.#componentCodes.codes[code]!;
    if (known !== 0) return known - 1;
    const component = this.#table.components[code]!;
    const position = this.#components.position(componentName(component), component);
    this.#componentCodes.codes[code] = position + 1;
    return position;
  }

  /** Of texts a code of 0 is none, here and there. */
  #text(code: number, { codes }: Translation, dictionary: Dictionary<string>, texts: readonly string[]): number {
    if (code === 0) return 0;
    const known = codes[code]!;
    if (known !== 0) return known;
    const text = texts[code - 1]!;
    const found = dictionary.position(text, text) + 1;
    codes[code] = found;
    return found;
  }

  #envelope(code: number): number {
    const met = this.#envelopeCodes.codes[code]!;
    if (met !== 0) return met - 1;
    const envelope = this.#table.envelopes[code]!;
    const known = this.#payload.envelopes.length;
    const position = this.#payload.envelope(envelope);
    this.#envelopeCodes.codes[code] = position + 1;
    if (position === known) {
      this.#attributes.addList(this.#table.pairs, this.#table.envelopePairs[2 * code]!);
      this.#attributes.addList(this.#table.pairs, this.#table.envelopePairs[2 * code + 1]!);
    }
    return position;
  }
}

class Translation {
  codes = new Uint16Array(64);

  reset(length: number): void {
    if (length > this.codes.length) this.codes = new Uint16Array(length * 2);
    else this.codes.fill(0, 0, length);
  }
}

class Dictionary<T> {
  readonly values: T[] = [];
  readonly #positions = new Map<string, number>();

  position(key: string, value: T): number {
    let position = this.#positions.get(key);
    if (position === undefined) {
      position = this.values.push(value) - 1;
      this.#positions.set(key, position);
    }
    return position;
  }
}

/**
 * Lays resources, scopes and records one after the other; a resource and scope that many requests repeat is written once. Records that
 * follow each other in a request are copied together with the tag and length between them: 2 or 3 bytes more of a payload that
 * shrinks to a sixth, and one copy for a few hundred records.
 */
class PayloadWriter {
  envelopes: Envelope[] = [];
  readonly #byContent = new Map<string, number>();
  readonly #hash = new ContentHash();
  #buffer = new Uint8Array(PAYLOAD_BYTES);
  #size = 0;
  #body: Uint8Array = NO_BYTES;
  #view: DataView = new DataView(NO_BYTES.buffer);
  // The run that is not copied yet; it will lie at `size`.
  #runStart = 0;
  #runEnd = 0;

  get size(): number {
    return this.#size + this.#runEnd - this.#runStart;
  }

  /** What follows lies in this body. */
  begin(body: Uint8Array): void {
    if (body === this.#body) return;
    this.#copyRun();
    this.#body = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  }

  /** @returns the envelope's position */
  envelope(source: SourceEnvelope): number {
    const { resourceStart, resourceEnd, resourceSchemaUrl, scopeStart, scopeEnd, scopeSchemaUrl, nodeId } = source;
    const hash = this.#hash
      .reset()
      .range(this.#view, resourceStart, resourceEnd)
      .number(resourceEnd - resourceStart);
    hash.range(this.#view, scopeStart, scopeEnd).text(resourceSchemaUrl).text(scopeSchemaUrl).end();
    const content = `${hash.high} ${hash.low} ${nodeId}`;
    let position = this.#byContent.get(content);
    if (position === undefined) {
      this.#copyRun();
      position =
        this.envelopes.push({
          resourceStart: this.#append(resourceStart, resourceEnd),
          resourceLength: resourceEnd - resourceStart,
          resourceSchemaUrl,
          scopeStart: this.#append(scopeStart, scopeEnd),
          scopeLength: scopeEnd - scopeStart,
          scopeSchemaUrl,
          nodeId,
        }) - 1;
      this.#byContent.set(content, position);
    }
    return position;
  }

  /** Where the record will lie. The events of a span and the points of a metric follow their owner and share its bytes. */
  place(start: number, end: number): number {
    if (start >= this.#runStart && end <= this.#runEnd) return this.#size + start - this.#runStart;
    if (this.#runEnd === this.#runStart || start < this.#runEnd || start > this.#runEnd + RUN_GAP_MAX) {
      this.#copyRun();
      this.#runStart = start;
    }
    this.#runEnd = end;
    return this.#size + start - this.#runStart;
  }

  bytes(): Uint8Array {
    this.#copyRun();
    return this.#buffer.subarray(0, this.#size);
  }

  clear(): void {
    if (this.#buffer.length > PAYLOAD_BYTES_KEPT) this.#buffer = new Uint8Array(PAYLOAD_BYTES);
    this.#size = 0;
    this.#runStart = this.#runEnd = 0;
    this.#body = NO_BYTES;
    this.envelopes = [];
    this.#byContent.clear();
  }

  #copyRun(): void {
    if (this.#runEnd > this.#runStart) this.#append(this.#runStart, this.#runEnd);
    this.#runStart = this.#runEnd = 0;
  }

  #append(start: number, end: number): number {
    const offset = this.#size;
    const size = offset + end - start;
    if (size > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(size, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, offset));
      this.#buffer = grown;
    }
    this.#buffer.set(this.#body.subarray(start, end), offset);
    this.#size = size;
    return offset;
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(0);
const PAYLOAD_BYTES = 64 * 1024;
// A block of 1,024 usual records takes 0.7 MB.
const PAYLOAD_BYTES_KEPT = 4 << 20;
// A tag and a length.
const RUN_GAP_MAX = 6;

/** A text per component: senders choose both halves, so that no separator would tell them apart. */
function componentName({ type, id }: ComponentRef): string {
  return `${type.length} ${type}${id}`;
}

function wordsOf(column: BigUint64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, column.length * 2);
}

/** Whether the pair at `i` is less than the one at `j`. */
function less(pairs: Uint32Array, i: number, j: number): boolean {
  return pairs[i + 1]! < pairs[j + 1]! || (pairs[i + 1] === pairs[j + 1] && pairs[i]! < pairs[j]!);
}
