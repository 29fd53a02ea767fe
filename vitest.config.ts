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
    // A machine in use starts threads and processes late; what never comes fails all the same.
    expect: { poll: { timeout: 10_000 } },
  },
})
