/** Speaks to the REST face, and holds every answer against the served /openapi.json. */
import { z } from 'zod';

export interface ApiAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely; their shape is checked against the document.
  body: any;
}

export interface ApiClient {
  get(path: string, headers?: Record<string, string>): Promise<ApiAnswer>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
  put(path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
  /** Operations of the document, as `get /api/debug/events`, with the statuses that were seen. */
  seen: ReadonlyMap<string, ReadonlySet<number>>;
}

const PREFIX = '/api/debug';

/** @param url of the server  @throws when an answer is not as the document says */
export async function createApiClient(url: string): Promise<ApiClient> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Document;
  const schemas = pointAt(document.components.schemas);
  const operations = Object.entries(document.paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod).map(([method, operation]) => ({
      name: `${method} ${path}`,
      method,
      pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
      literals: path.split('/').filter((part) => !part.startsWith('{')).length,
      operation,
    })),
  );
  operations.sort((a, b) => b.literals - a.literals);
  const seen = new Map<string, Set<number>>(operations.map(({ name }) => [name, new Set()]));

  async function call(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<ApiAnswer> {
    const response = await fetch(url + PREFIX + path, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const answer = { status: response.status, headers: response.headers, body: await bodyOf(response) };
    const route = operations.find(
      ({ method: m, pattern }) => m === method && pattern.test(PREFIX + path.split('?')[0]!),
    );
    const type = response.headers.get('content-type')!.split(';')[0]!;
    if (route !== undefined) {
      seen.get(route.name)!.add(answer.status);
      const documented =
        route.operation.responses[answer.status] ?? (response.ok ? undefined : route.operation.responses.default);
      const schema = documented?.content[type]?.schema;
      if (schema === undefined)
        throw new Error(`${route.name} answered ${answer.status} ${type}, which is not documented`);
      z.fromJSONSchema({ ...pointAt(schema), $defs: schemas }).parse(answer.body);
    }
    return answer;
  }

  return {
    get: (path, headers = {}) => call('get', path, undefined, headers),
    post: (path, body, headers = {}) => call('post', path, body, headers),
    put: (path, body, headers = {}) => call('put', path, body, headers),
    seen,
  };
}

/** Lines are for whoever asked to parse. */
function bodyOf(response: Response): Promise<unknown> {
  const isLines = response.headers.get('content-type')?.startsWith('application/x-ndjson');
  return isLines ? response.text() : response.json();
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, z.core.JSONSchema.JSONSchema> };
}

interface Operation {
  responses: Record<string, { content: Record<string, { schema: Record<string, unknown> }> }>;
}

function pointAt<T>(schema: T): T {
  return JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/'));
}
