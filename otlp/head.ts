/** What stands once before many: of ResourceSpans and its like the resource, of ScopeSpans and its like the scope. */
import type { Cursor } from './cursor.ts';
import { textOf } from './wire.ts';

export interface Head {
  /** Where the resource or scope lies. */
  start: number;
  end: number;
  schemaUrl: string;
}

/** Reads what the cursor is over: both fields may stand behind what they are for. */
export function headOf(reader: Cursor): Head {
  const head = { start: 0, end: 0, schemaUrl: '' };
  while (reader.next()) {
    if (reader.field === 1) {
      head.start = reader.range();
      head.end = reader.position;
    } else if (reader.field === 3) head.schemaUrl = textOf(reader.bytes, reader.range(), reader.position);
    else reader.skip();
  }
  return head;
}
