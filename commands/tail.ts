import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandContext, EXIT, type Paint, painter, UnreachableError } from './command.ts';
import { API, ASKING_HELP, parseAsking, Refused, type Server, serverOf } from './server.ts';
import { componentName, duration, painted, plain, time } from './terminal.ts';

export const TAIL_HELP = `ai-debug tail shows events as they are stored, until it is interrupted. A connection that breaks is taken up where it was.

  --component ID     only of this component
  --correlation ID   only of this operation
  --min-level LEVEL  DEBUG, INFO, WARNING, ERROR or CRITICAL, and above
  --type TYPES       of log, span, state_snapshot, metric, error, system; several with commas
  -q TEXT            only whose message contains it
${ASKING_HELP}  With --json each line is a message as the REST interface streams it.

Exit code 0: interrupted. 2: usage. 3: no server answers.
`;

interface Message {
  type: string;
  cursor: string;
  data: {
    dropped?: number | null;
    timestamp: string;
    level: string | null;
    event_type: string;
    component_type: string;
    component_id: string;
    message: string;
    duration_ms?: number;
  };
}

export async function tail(context: CommandContext, args: string[]): Promise<number> {
  const { values } = parseAsking(args, {
    component: { type: 'string' },
    correlation: { type: 'string' },
    'min-level': { type: 'string' },
    type: { type: 'string' },
    q: { type: 'string', short: 'q' },
  });
  const { stdout, stderr, signal } = context;
  if (values.help) {
    stdout.write(TAIL_HELP);
    return EXIT.ok;
  }
  const server = serverOf(context, values);
  const filter = {
    component_id: values.component,
    correlation_id: values.correlation,
    min_level: values['min-level'],
    event_type: values.type,
    q: values.q,
  };
  const paint = painter(stdout);
  let since: string | undefined;
  let waitMs = 0;
  while (!signal.aborted) {
    try {
      for await (const line of follow(server, { ...filter, since })) {
        const message = JSON.parse(line) as Message;
        since = message.cursor;
        waitMs = 0;
        if (message.type === 'ping') continue;
        if (values.json) stdout.write(`${line}\n`);
        else if (message.type !== 'connected') stdout.write(`${shown(message, paint)}\n`);
      }
    } catch (error) {
      if (signal.aborted) break;
      // Who never answered is a wrong address; who did is restarting.
      if (since === undefined || error instanceof Refused) throw error;
    }
    if (signal.aborted) break;
    if (waitMs === 0) stderr.write(paint('dim', `${server.url} is gone; waiting for it\n`));
    waitMs = Math.min(WAIT_MS_MAX, waitMs === 0 ? WAIT_MS : waitMs * 2);
    await sleep(waitMs, undefined, { signal }).catch(() => {});
  }
  return EXIT.ok;
}

const WAIT_MS = 250;
const WAIT_MS_MAX = 5000;

async function* follow(server: Server, filter: Record<string, string | undefined>): AsyncGenerator<string> {
  const given = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const response = await server.fetch(`${API}/events?${new URLSearchParams([['follow', 'true'], ...given])}`);
  if (response.body === null) throw new UnreachableError(`what answers at ${server.url} does not stream`);
  yield* createInterface({
    input: Readable.fromWeb(response.body as unknown as WebStream),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
}

function shown({ type, data }: Message, paint: Paint): string {
  if (type === 'gap') {
    const what = data.dropped == null ? 'some' : String(data.dropped);
    return paint('yellow', `… ${what} dropped: more came than this terminal takes`);
  }
  const word = data.level ?? data.event_type;
  const took = data.duration_ms === undefined ? '' : paint('dim', ` ${duration(data.duration_ms)}`);
  const name = paint('cyan', componentName(data.component_type, data.component_id));
  return `${paint('dim', time(data.timestamp))} ${painted(paint, word, word.padEnd(8))} ${name} ${plain(data.message)}${took}`;
}
