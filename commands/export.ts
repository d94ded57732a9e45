import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { type CommandContext, EXIT, UsageError } from './command.ts';
import { API, ASKING_HELP, parseAsking, serverOf } from './server.ts';

export const EXPORT_HELP = `ai-debug export CORRELATION_ID writes everything about one operation as a bundle that ai-debug import takes back: OTLP JSON lines
and insights. To standard output, or to a file.

  -o, --output FILE
${ASKING_HELP}
Exit code 0: written. 1: there is no such correlation. 2: usage. 3: no server answers.
`;

export async function exportBundle(context: CommandContext, args: string[]): Promise<number> {
  const { values, positionals } = parseAsking(args, { output: { type: 'string', short: 'o' } });
  if (values.help) {
    context.stdout.write(EXPORT_HELP);
    return EXIT.ok;
  }
  const [id, ...more] = positionals;
  if (id === undefined || more.length > 0) throw new UsageError('takes one correlation id');
  const response = await serverOf(context, values).fetch(`${API}/export/${encodeURIComponent(id)}`);
  const body = Readable.fromWeb(response.body as unknown as WebStream);
  if (values.output !== undefined) await pipeline(body, createWriteStream(values.output));
  else for await (const chunk of body) context.stdout.write(chunk);
  return EXIT.ok;
}
