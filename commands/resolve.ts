import { type CommandContext, EXIT, painter, UsageError } from './command.ts';
import { ASKING_HELP, parseAsking, serverOf } from './server.ts';
import { headed } from './terminal.ts';

export const RESOLVE_HELP = `ai-debug resolve ID --notes TEXT notes how an insight was resolved. The next one like it gets the notes as advice; if this one is
seen again it is regressed.

  --notes TEXT       what was wrong and what was done
  --ignore           never show it as open again
  --reopen           open it again
  --actor NAME       who did it
${ASKING_HELP}
Exit code 0: noted. 1: there is no such insight. 2: usage. 3: no server answers.
`;

export async function resolve(context: CommandContext, args: string[]): Promise<number> {
  const { values, positionals } = parseAsking(args, {
    notes: { type: 'string' },
    ignore: { type: 'boolean', default: false },
    reopen: { type: 'boolean', default: false },
    actor: { type: 'string' },
  });
  const { stdout } = context;
  if (values.help) {
    stdout.write(RESOLVE_HELP);
    return EXIT.ok;
  }
  const [id, ...more] = positionals;
  const { notes, ignore, reopen, actor } = values;
  if (id === undefined || more.length > 0) throw new UsageError('takes the id of one insight');
  if (ignore && reopen) throw new UsageError('--ignore and --reopen exclude each other');
  if (!ignore && !reopen && notes === undefined)
    throw new UsageError('say with --notes what was done: the next one like it gets it as advice');
  const path = `/insights/${encodeURIComponent(id)}/${ignore ? 'ignore' : reopen ? 'reopen' : 'resolve'}`;
  const said = ignore || reopen ? { notes } : { resolution_notes: notes };
  const body = { ...said, ...(actor !== undefined && { actor }) };
  const { data } = await serverOf(context, values).send<{ state: string; title: string }>('PUT', path, body);
  const paint = painter(stdout);
  stdout.write(
    values.json ? `${JSON.stringify(data)}\n` : `${headed(paint('green', data.state), data.title, paint)}\n`,
  );
  return EXIT.ok;
}
