import { writeSync } from 'node:fs';
import { format } from 'node:util';
import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api';

/**
 * What this package has to say about itself goes to stderr, past `console`: stdout belongs to the app, and a line
 * through `console` would come back as telemetry about telemetry.
 */
export function say(message: string): void {
  try {
    writeSync(2, `[ai-debug instrumentation] ${message}\n`);
  } catch {}
}

const said = new Set<string>();

/** What becomes of the telemetry, each kind said once per process: an outage is not to fill the app's logs. */
export function sayDelivery(
  url: string,
  { kind, reason }: { kind: 'away' | 'back' | 'refused' | 'dropped'; reason: string },
): void {
  const first = !said.has(kind);
  said.add(kind);
  if (!first) return;
  const { origin } = new URL(url);
  const [firstLine] = reason.split('\n', 1);
  const texts = {
    away: `cannot deliver to ${origin} (${firstLine}); telemetry waits on the disk meanwhile (said once)`,
    back: `delivering to ${origin} again`,
    refused: `${origin} refused a batch (${firstLine}); it is lost (said once)`,
    dropped: `telemetry is lost: ${firstLine} (said once)`,
  };
  say(texts[kind]);
}

/**
 * Constructs the SDK and answers `OTEL_LOG_LEVEL` with a logger on stderr. The SDK's constructor would answer it with one
 * on `console`, so it does not get to see the variable.
 */
export function withDiagnosticsOnStderr<T>(env: NodeJS.ProcessEnv, construct: () => T): T {
  const level = env.OTEL_LOG_LEVEL;
  if (level === undefined) return construct();
  const logLevel = DiagLogLevel[level.trim().toUpperCase() as keyof typeof DiagLogLevel] ?? DiagLogLevel.INFO;
  diag.setLogger(stderrLogger(), { logLevel });
  delete env.OTEL_LOG_LEVEL;
  try {
    return construct();
  } finally {
    env.OTEL_LOG_LEVEL = level;
  }
}

function stderrLogger(): DiagLogger {
  const at =
    (name: string) =>
    (...args: unknown[]): void =>
      say(`${name} ${format(...args)}`);
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), verbose: at('verbose') };
}
