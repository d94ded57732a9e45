/**
 * The process that the fault tests kill: a whole collector, started when told to, which ends itself at the moment that it was
 * told, as surely as if the power of that instant had gone to the process alone. Started by fork; ends with whoever started it.
 */
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { type Addresses, createCollector } from '../../collector.ts';
import { loadConfig } from '../../config.ts';
import type { JournalPoint } from '../../receiver/journal.ts';

export type Order =
  | { start: Record<string, string>; logLevel: string }
  /** SIGKILL when this point is reached for the `times`-th time from now on. */
  | { killAt: JournalPoint; times: number };

export type Report = { loaded: true } | { up: Addresses } | { failed: string };

function main(): void {
  let killAt: JournalPoint | undefined;
  let timesLeft = 0;
  const at = (point: JournalPoint) => {
    if (point === killAt && --timesLeft <= 0) process.kill(process.pid, 'SIGKILL');
  };

  async function start(flags: Record<string, string>, logLevel: string): Promise<void> {
    const config = loadConfig({ flags: new Map(Object.entries(flags)), environment: {} });
    const log = createLogger(logLevel);
    const collector = createCollector(config, { clock: systemClock(), log, meter: createMeter(), at });
    process.once('SIGTERM', () => void collector.stop().then(() => process.exit(0)));
    await collector.start();
    say({ up: collector.addresses() });
  }

  process.on('message', (order: Order) => {
    if ('killAt' in order) [killAt, timesLeft] = [order.killAt, order.times];
    else start(order.start, order.logLevel).catch((error) => say({ failed: String(error?.stack ?? error) }));
  });
  process.on('disconnect', () => process.exit(1));
  say({ loaded: true });
}

function say(report: Report): void {
  process.send?.(report);
}

if (import.meta.main) main();
