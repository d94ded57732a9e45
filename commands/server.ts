/** A running server, as the commands ask it: over REST, with the token of whoever types. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type ServerAccess, serverAccess } from '../config.ts';
import { type CommandContext, UnreachableError, UsageError, urlOption } from './command.ts';

export interface Server {
  readonly url: string;
  /** @returns `data` and `meta` of the answer  @throws Error in the words of the server; UnreachableError where nobody answers */
  get<T>(path: string, query?: Query): Promise<Answered<T>>;
  send<T>(method: 'POST' | 'PUT', path: string, body: unknown): Promise<Answered<T>>;
  /** The response itself, its status 2xx. @param path from the root of the server */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface Answered<T> {
  data: T;
  meta: { as_of: string; truncated: boolean; next_cursor?: string; coverage: { pending: number; empty?: string } };
}

export type Query = Readonly<Record<string, string | undefined>>;

/** What every command that asks takes. */
export const ASKING_OPTIONS = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsConfig['options'];

export const ASKING_HELP = `  --url URL          server to ask (DEBUG_URL, default http://127.0.0.1:4319)
  --token-file FILE  with its bearer token (DEBUG_TOKEN_FILE, or the token itself in DEBUG_TOKEN)
  --json             print the data as the REST interface has it
`;

/** @throws TypeError of parseArgs and UsageError for arguments that make no sense */
export function parseAsking<const O extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: O) {
  const config = { args, allowPositionals: true, options: { ...ASKING_OPTIONS, ...options } } as const;
  return parseArgs(config);
}

export function serverOf(
  context: Pick<CommandContext, 'signal'>,
  values: { url?: string | undefined; 'token-file'?: string | undefined },
): Server {
  if (values.url !== undefined) urlOption('url', values.url);
  return connect(accessOf(values), context.signal);
}

export function accessOf(values: { url?: string | undefined; 'token-file'?: string | undefined }): ServerAccess {
  try {
    return serverAccess({ url: values.url, tokenFile: values['token-file'] });
  } catch (error) {
    throw new UsageError(`--token-file: ${(error as Error).message}`);
  }
}

/** @param signal ends what is under way */
export function connect({ url, token }: ServerAccess, signal: AbortSignal): Server {
  async function request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== null) headers.set('authorization', `Bearer ${token}`);
    let response: Response;
    try {
      response = await fetch(url + path, { signal, ...init, headers, redirect: 'error' });
    } catch (error) {
      if (signal.aborted) throw error;
      throw new UnreachableError(
        `nothing answers at ${url} (${causeOf(error)}); is it up? ai-debug up, or ai-debug doctor`,
      );
    }
    if (response.status === 404 && !response.headers.get('content-type')?.startsWith('application/problem+json'))
      throw new UnreachableError(
        `what answers at ${url} is not the query service of ai-debug (404); ai-debug doctor --url ${url}`,
      );
    if (!response.ok) throw await failureOf(response, path);
    return response;
  }

  async function answered<T>(response: Response): Promise<Answered<T>> {
    const body = (await response.json().catch(() => null)) as Answered<T> | null;
    if (body === null || typeof body !== 'object' || !('data' in body))
      throw new UnreachableError(`what answers at ${url} is not ai-debug`);
    return body;
  }

  return {
    url,
    fetch: request,
    async get(path, query = {}) {
      const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
      const search = new URLSearchParams(given);
      return answered(await request(`${API}${path}${search.size > 0 ? `?${search}` : ''}`));
    },
    async send(method, path, body) {
      const headers = { 'content-type': 'application/json' };
      return answered(await request(API + path, { method, headers, body: JSON.stringify(body) }));
    },
  };
}

export const API = '/api/debug';

/** A request that the server refused: its status, its code, its words. */
export class Refused extends Error {
  override name = 'Refused';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function failureOf(response: Response, path: string): Promise<Error> {
  const problem = (await response.json().catch(() => ({}))) as { detail?: string; code?: string; reasons?: string[] };
  // A probe says why it is not ready.
  const { detail = problem.reasons?.join('; ') || response.statusText, code = String(response.status) } = problem;
  const hint = HINTS[response.status] ?? '';
  const message = `${detail} (${code}${hint})`;
  if (response.status >= 502 && response.status <= 504) return new UnreachableError(message);
  return new Refused(
    response.status,
    code,
    response.status === 404 && code === 'NOT_FOUND' ? `${message}: ${path}` : message,
  );
}

const HINTS: Record<number, string> = {
  401: '; say who you are with DEBUG_TOKEN or --token-file',
  403: '; this token may not',
};

function causeOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}
