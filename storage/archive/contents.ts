/**
 * What the records of a file hold, so that a search for an attribute or a text leaves files and blocks alone: the filters of
 * model/attribute-filter.ts and model/text-filter.ts over all of a file, and those of each of its blocks. In the index file they lie behind
 * each other:
 *
 *   attributes of the file | texts of the file | for each block, in the order of the directory: u32 length of its attributes, of its texts | those
 *
 * Files from before there were any have none, and are looked through.
 */
import { AttributeFilterBuilder } from '../../model/attribute-filter.ts';
import type { BlockFilters, BlockIndex } from '../../model/block.ts';
import { TextFilterBuilder } from '../../model/text-filter.ts';
import { addContents } from '../block-contents.ts';
import { type FilterProbe, holds } from '../contract.ts';
import type { Place } from './objects.ts';

/** Where a file's filters lie, in its index file or in the summary of its day. */
export type FilterPlaces = Record<keyof BlockFilters, Place>;

export interface ContentPlaces extends FilterPlaces {
  blocks: Place;
}

// Tells the attributes of a file of 125,000 usual records apart, in 128 kB; of fewer the map is folded, of more only the blocks say.
const ATTRIBUTE_BITS = 1 << 20;
// Of four characters of which one is a digit some 100,000 are usual.
const TEXT_BITS = 1 << 18;
// Half the bytes of a quarter, which a file has twice, for one file in sixteen that is opened in vain: the filters of its blocks come next.
const FILE_SHARE = 1 / 2;
/** Used again for each block: making a large map takes longer than marking a small block in it. */
const fileAttributes = new AttributeFilterBuilder(ATTRIBUTE_BITS);
const fileTexts = new TextFilterBuilder(TEXT_BITS);

/** Of one block: its filters, and the bits that it brings to those of its file, null where something cannot be told. */
export interface BlockContents {
  filters: BlockFilters;
  bits: { readonly [Filter in keyof BlockFilters]: Uint32Array | null };
}

/** @param payload decompressed */
export function contentsOf(index: BlockIndex, payload: Uint8Array): BlockContents {
  const attributes = new AttributeFilterBuilder();
  fileAttributes.clear();
  fileTexts.clear();
  addContents(index, payload, { attributes: [attributes, fileAttributes], texts: [fileTexts] });
  return {
    filters: { texts: index.texts, attributes: attributes.build() },
    bits: { texts: fileTexts.bits(), attributes: fileAttributes.bits() },
  };
}

/** Of a file that grows. */
export class FileContents {
  readonly #attributes = new AttributeFilterBuilder(ATTRIBUTE_BITS);
  readonly #texts = new TextFilterBuilder(TEXT_BITS);
  readonly #blocks = new Map<string, BlockFilters>();

  add(id: string, { filters, bits }: BlockContents): void {
    this.#attributes.addBits(bits.attributes);
    this.#texts.addBits(bits.texts);
    this.#blocks.set(id, filters);
  }

  /** @param ids in the order of the directory */
  build(ids: readonly string[]): { [Part in keyof ContentPlaces]: Uint8Array } {
    const blocks = ids.map((id) => this.#blocks.get(id)!);
    const lengths = Uint32Array.from(blocks.flatMap(({ attributes, texts }) => [attributes.length, texts.length]));
    const filters = blocks.flatMap(({ attributes, texts }) => [attributes, texts]);
    return {
      attributes: this.#attributes.build(FILE_SHARE),
      texts: this.#texts.build(FILE_SHARE),
      blocks: Buffer.concat([new Uint8Array(lengths.buffer), ...filters]),
    };
  }
}

/** The kinds of filter that a search asks. */
export function askedBy(probe: FilterProbe): (keyof BlockFilters)[] {
  return KINDS.filter((kind) => probe[kind] !== undefined);
}

/** @param found filters of those kinds; of a kind that is not there nothing is known */
export function mayHoldAll(probe: FilterProbe, found: Partial<BlockFilters>): boolean {
  return holds(probe, { texts: NOTHING, attributes: NOTHING, ...found });
}

/** Asks the filters of a file's blocks, of so many at once as a page looks at. */
export class BlockFiltersOfFile {
  readonly #read: (place: Place) => Promise<Uint8Array>;
  readonly #place: Place;
  readonly #count: number;
  #ends: number[] | undefined;
  #chunk = -1;
  #bytes: Uint8Array = NOTHING;

  /** @param count blocks of the file */
  constructor(place: Place, count: number, read: (place: Place) => Promise<Uint8Array>) {
    this.#place = place;
    this.#count = count;
    this.#read = read;
  }

  /** @param position in the directory: ascending for the fewest reads */
  async mayHold(position: number, probe: FilterProbe): Promise<boolean> {
    const ends = (this.#ends ??= await this.#readEnds());
    const chunk = Math.floor(position / CHUNK);
    const at = (i: number) => ends[2 * i]!;
    const first = at(chunk * CHUNK);
    if (chunk !== this.#chunk) {
      const end = at(Math.min((chunk + 1) * CHUNK, this.#count));
      this.#bytes = await this.#read({ offset: this.#place.offset + first, length: end - first });
      this.#chunk = chunk;
    }
    const part = (i: number) => this.#bytes.subarray(ends[i]! - first, ends[i + 1]! - first);
    return holds(probe, { attributes: part(2 * position), texts: part(2 * position + 1) });
  }

  /** Where each filter begins, and the last ends. */
  async #readEnds(): Promise<number[]> {
    const bytes = await this.#read({ offset: this.#place.offset, length: this.#count * 8 });
    const lengths = new Uint32Array(bytes.slice().buffer);
    const ends = [bytes.length];
    for (const length of lengths) ends.push(ends.at(-1)! + length);
    return ends;
  }
}

const KINDS = ['attributes', 'texts'] as const;
const NOTHING = new Uint8Array();
// Some 400 kB.
const CHUNK = 64;
