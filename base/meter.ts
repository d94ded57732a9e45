/** What the process counts about itself; `/metrics` prints it. Labels are always of bounded sets, never sent by a client. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type { Counter, Gauge, Histogram, Registry };

export interface Meter {
  readonly registry: Registry;
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, collect?: () => number): Gauge;
  histogram(name: string, help: string, bucketsSeconds: readonly number[], labels?: readonly string[]): Histogram;
}

/** Each process has one, made by the collector; names get the prefix `ai_debug_`. Asking for a name again gives the same metric. */
export function createMeter(): Meter {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const known = <T>(name: string, make: () => T): T => (registry.getSingleMetric(name) as T | undefined) ?? make();
  return {
    registry,
    counter: (name, help, labels = []) =>
      known(
        `ai_debug_${name}`,
        () => new Counter({ name: `ai_debug_${name}`, help, labelNames: [...labels], registers: [registry] }),
      ),
    gauge: (name, help, collect) =>
      known(
        `ai_debug_${name}`,
        () =>
          new Gauge({
            name: `ai_debug_${name}`,
            help,
            registers: [registry],
            ...(collect && {
              collect() {
                this.set(collect());
              },
            }),
          }),
      ),
    histogram: (name, help, bucketsSeconds, labels = []) =>
      known(
        `ai_debug_${name}`,
        () =>
          new Histogram({
            name: `ai_debug_${name}`,
            help,
            labelNames: [...labels],
            buckets: [...bucketsSeconds],
            registers: [registry],
          }),
      ),
  };
}
