import { openAsBlob } from 'node:fs';
import { type CommandContext, EXIT, UsageError } from './command.ts';
import { API, ASKING_HELP, parseAsking, serverOf } from './server.ts';

export const IMPORT_HELP = `ai-debug import FILES… takes in bundles that ai-debug export wrote. What is there already is not stored twice.

${ASKING_HELP}
Exit code 0: all taken. 1: something was refused. 2: usage. 3: no server answers.
`;

export async function importBundles(context: CommandContext, args: string[]): Promise<number> {
  const { values, positionals } = parseAsking(args, {});
  if (values.help) {
    context.stdout.write(IMPORT_HELP);
    return EXIT.ok;
  }
  if (positionals.length === 0) throw new UsageError('which files?');
  const server = serverOf(context, values);
  const files = await Promise.all(positionals.map(async (path) => ({ path, body: await readable(path) })));
  for (const { path, body } of files) {
    const headers = { 'content-type': 'application/x-ndjson' };
    const response = await server.fetch(`${API}/import`, { method: 'POST', headers, body });
    const { data } = (await response.json()) as { data: unknown };
    context.stdout.write(values.json ? `${JSON.stringify(data)}\n` : `${path}: ${summary(data)}\n`);
  }
  return EXIT.ok;
}

async function readable(path: string): Promise<Blob> {
  try {
    return await openAsBlob(path);
  } catch {
    throw new UsageError(`${path} is not a file that can be read`);
  }
}

function summary(data: unknown): string {
  const counts = Object.entries(data ?? {}).filter(([, value]) => typeof value === 'number');
  return counts.length === 0
    ? 'taken'
    : counts.map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`).join(', ');
}
