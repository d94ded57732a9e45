/** The program: picks a command by name and gives it the process. The only reader of argv. */
import { fileURLToPath } from 'node:url';
import { systemClock } from './base/clock.ts';
import { VERSION } from './base/version.ts';
import { type Command, type CommandContext, EXIT, runCommand } from './commands/command.ts';
import { demo } from './commands/demo.ts';
import { replay } from './commands/replay.ts';
import { up } from './commands/up.ts';

const COMMANDS: Record<string, { command: Command; summary: string }> = {
  up: { command: up, summary: 'run the receiver, the stores and the query service in this process' },
  demo: { command: demo, summary: 'run three real services, break one, and ask what happened' },
  replay: { command: replay, summary: 'send OTLP/JSON line files to an OTLP endpoint' },
  help: { command: help, summary: 'print this' },
  version: { command: version, summary: 'print the version' },
};

async function help(context: CommandContext): Promise<number> {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(8)}  ${summary}`);
  context.stdout.write(
    `usage: ai-debug <command> [options]\n\n${rows.join('\n')}\n\nai-debug <command> --help says more.\n`,
  );
  return EXIT.ok;
}

async function version(context: CommandContext): Promise<number> {
  context.stdout.write(`${VERSION}\n`);
  return EXIT.ok;
}

const [name = 'help', ...args] = process.argv.slice(2);
const known = { '--help': 'help', '-h': 'help', '--version': 'version', '-v': 'version' }[name] ?? name;
const chosen = Object.hasOwn(COMMANDS, known) ? COMMANDS[known] : undefined;
if (chosen === undefined) {
  process.stderr.write(`ai-debug: no command '${name}' (ai-debug help)\n`);
  process.exitCode = EXIT.usage;
} else {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(EXIT.trouble); // asked twice: now
      stopping.abort();
    });
  }
  process.exitCode = await runCommand(
    known,
    chosen.command,
    {
      stdout: process.stdout,
      stderr: process.stderr,
      signal: stopping.signal,
      clock: systemClock(),
      entry: fileURLToPath(import.meta.url),
    },
    args,
  );
}
