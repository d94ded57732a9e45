import { defineConfig } from 'vitest/config';
import ClosingCount from './test/support/closing-count.ts';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    // The SDK tests bring other languages' toolchains and have a run of their own: vitest.sdks.config.ts.
    exclude: ['**/node_modules/**', '**/dist/**', 'test/sdks/**'],
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', new ClosingCount()],
    pool: 'forks',
    // Each file may start servers and services of its own; more than two at once only makes two cores queue.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
