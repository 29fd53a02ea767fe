import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      'test/interop/**',
      'test/crash/**',
      'test/outage/**',
      'test/bench/**',
      'node_modules/**',
    ],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
