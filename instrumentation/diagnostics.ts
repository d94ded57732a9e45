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
