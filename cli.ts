/** The program: picks a command by name and gives it the process. The only reader of argv. */
import { fileURLToPath } from 'node:url';
import { systemClock } from './base/clock.ts';
import { VERSION } from './base/version.ts';
import { archive } from './commands/archive.ts';
import { ask } from './commands/ask.ts';
import { type Command, type CommandContext, EXIT, runCommand } from './commands/command.ts';
import { compare } from './commands/compare.ts';
import { demo } from './commands/demo.ts';
import { doctor } from './commands/doctor.ts';
import { explain } from './commands/explain.ts';
import { exportBundle } from './commands/export.ts';
import { health } from './commands/health.ts';
import { importBundles } from './commands/import.ts';
import { insights } from './commands/insights.ts';
import { mcp } from './commands/mcp.ts';
import { replay } from './commands/replay.ts';
import { resolve } from './commands/resolve.ts';
import { tail } from './commands/tail.ts';
import { trace } from './commands/trace.ts';
import { up } from './commands/up.ts';

const COMMANDS: Record<string, { command: Command; summary: string }> = {
  up: { command: up, summary: 'run the receiver, the stores and the query service in this process' },
  demo: { command: demo, summary: 'run three real services, break one, and ask what happened' },
  ask: { command: ask, summary: 'answer a question in words' },
  health: { command: health, summary: 'how it is going, the worst first' },
  insights: { command: insights, summary: 'what was found, and what is new since' },
  explain: { command: explain, summary: 'the root cause behind an error, and what to do' },
  trace: { command: trace, summary: 'one operation, as a tree or a timeline' },
  compare: { command: compare, summary: 'what separates components or operations' },
  tail: { command: tail, summary: 'events as they come' },
  resolve: { command: resolve, summary: 'note how an insight was resolved' },
  doctor: { command: doctor, summary: 'why nothing arrives, and what to type' },
  mcp: { command: mcp, summary: 'serve the tools for agents over standard input and output' },
  export: { command: exportBundle, summary: 'write everything about one operation as a bundle' },
  import: { command: importBundles, summary: 'take in such bundles' },
  archive: { command: archive, summary: 'move old days to the archive, say what is there, bring a day back' },
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
