/**
 * Who speaks: an OTLP resource's attributes by their content, one row for each component that spoke with them, from when until when. A
 * component's versions, its instances and what was deployed when are read from these rows, without an event.
 */
import { hashText } from './hash.ts';
import { hex64 } from './ids.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';

export interface Resource {
  /** 16 hex: {@link resourceHash} of the attributes. */
  hash: string;
  component_type: string;
  component_id: string;
  /** As events show them. */
  attributes: JsonObject;
  /** Nanoseconds. Of the earliest record, exactly. */
  first_time: bigint;
  /** Of the newest record; may be up to {@link RESOURCE_LAG_NANOS} too early. */
  last_time: bigint;
}

/** A resource that goes on speaking is not written for each request: its last time lags by a minute of its records at most. */
export const RESOURCE_LAG_NANOS = 60_000_000_000n;

/** 16 hex, the same in whatever order the attributes, or those within one, come, and however they were encoded. */
export function resourceHash(attributes: JsonObject): string {
  return hex64(hashText(JSON.stringify(sorted(attributes))));
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  // Pairs: an object would have keys that are numbers first. In one all the same, so that a list of pairs is told from them.
  const keys = Object.keys(value).sort();
  return { of: keys.map((key) => [key, sorted(value[key]!)]) };
}
