/** One row of the REST table: what it takes, what it gives, and whom it asks. Validation and /openapi.json are made from the same row. */
import { z } from 'zod';
import type { Scope } from '../../base/tokens.ts';
import { type Answer, invalid, malformed } from '../answer.ts';
import type { QueryService } from '../service.ts';
import { fieldErrors } from '../validation.ts';

export interface Route {
  method: 'get' | 'post' | 'put';
  /** Under /api/debug, parameters as `{event_id}`. */
  path: string;
  summary: string;
  /** What a token must allow. */
  scope: Scope;
  /** 200 unless said. */
  status: 200 | 201;
  /** Of the query string; absent: none is taken. */
  query: z.ZodType | undefined;
  /** Absent: no body is read. */
  body: z.ZodType | undefined;
  /** Of `data` in the answer. */
  data: z.ZodType;
  /** The codes of its 404. */
  notFound: readonly string[];
  /** Whether answers carry an ETag over `data`: for what hardly ever changes once it was read. */
  tagged: boolean;
  /** Whether the body is NDJSON as text, read whole, rather than JSON. */
  takesLines: boolean;
  /** Whether the answer is NDJSON, sent line by line, rather than an {@link Answer}. */
  givesLines: boolean;
  /** @param call with query and body as they came. @throws DebugError */
  answer(call: RawCall): Promise<Answer<unknown> | Iterable<string>>;
}

export interface RawCall {
  service: QueryService;
  tenant: string;
  params: Readonly<Record<string, string>>;
  query: Readonly<Record<string, unknown>>;
  body: unknown;
  /** The `Idempotency-Key`, if there is one. */
  key: string | undefined;
}

interface Call<Q, B> extends Omit<RawCall, 'query' | 'body'> {
  query: Q;
  body: B;
}

export function route<Q extends z.ZodType = z.ZodUndefined, B extends z.ZodType = z.ZodUndefined>(row: {
  method: Route['method'];
  path: string;
  summary: string;
  /** `read` unless said. */
  scope?: 'ingest' | 'admin';
  status?: 201;
  query?: Q;
  body?: B;
  data: z.ZodType;
  notFound?: readonly string[];
  tagged?: true;
  takes?: 'lines';
  gives?: 'lines';
  answer(call: Call<z.output<Q>, z.output<B>>): Promise<Answer<unknown> | Iterable<string>>;
}): Route {
  return {
    ...row,
    scope: row.scope ?? 'read',
    status: row.status ?? 200,
    query: row.query,
    body: row.body,
    notFound: row.notFound ?? [],
    tagged: row.tagged ?? false,
    takesLines: row.takes === 'lines',
    givesLines: row.gives === 'lines',
    answer: (call) =>
      row.answer({
        ...call,
        query: parseQuery<z.ZodType>(row.query ?? NO_QUERY, call.query) as z.output<Q>,
        body: (row.body === undefined ? undefined : parseBody(row.body, call.body)) as z.output<B>,
      }),
  };
}

const NO_QUERY = z.strictObject({});

/** @throws DebugError MALFORMED, naming each parameter */
export function parseQuery<Q extends z.ZodType>(schema: Q, query: unknown): z.output<Q> {
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  throw malformed(fieldErrors(parsed.error));
}

/** @throws DebugError INVALID, naming each field */
export function parseBody<B extends z.ZodType>(schema: B, body: unknown): z.output<B> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw invalid(fieldErrors(parsed.error));
}
