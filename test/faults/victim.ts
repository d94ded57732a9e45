/**
 * The process that the fault tests kill: a whole collector, started when told to, which ends itself at the moment that it was
 * told, as surely as if the power of that instant had gone to the process alone. Started by fork; ends with whoever started it.
 */
import type { Addresses } from '../../collector.ts';
import type { JournalPoint } from '../../receiver/journal.ts';

// Whoever kills by the thousand has it built before: a start from JavaScript takes two thirds of the time.
const BUILT = process.argv.includes('--built');
const { systemClock } = await part<typeof import('../../base/clock.ts')>('base/clock');
const { createLogger } = await part<typeof import('../../base/log.ts')>('base/log');
const { createMeter } = await part<typeof import('../../base/meter.ts')>('base/meter');
const { createCollector } = await part<typeof import('../../collector.ts')>('collector');
const { loadConfig } = await part<typeof import('../../config.ts')>('config');

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

function part<T>(name: string): Promise<T> {
  return import(new URL(BUILT ? `../../dist/${name}.js` : `../../${name}.ts`, import.meta.url).href);
}

function say(report: Report): void {
  process.send?.(report);
}

if (import.meta.main) main();
