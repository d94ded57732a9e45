import { defineConfig } from 'vitest/config';
import ClosingCount from './test/support/closing-count.ts';

/** Real exporters of the JS, Python, Go and Java SDKs against a real receiver. Slow: they fetch and build their SDKs first. */
export default defineConfig({
  test: {
    include: ['test/sdks/**/*.test.ts'],
    reporters: ['verbose', new ClosingCount()],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 600_000,
  },
});
