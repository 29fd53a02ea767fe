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
    // No module of ours has a state that another file could see (STYLE 7), so files of one worker share
    // what they import: half of the time goes there otherwise.
    isolate: false,
    maxWorkers: '100%',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // A machine in use starts threads and processes late; what never comes fails all the same.
    expect: { poll: { timeout: 10_000 } },
  },
})
