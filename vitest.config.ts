import { statfsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

/**
 * Where tests keep their databases. Each commit is synced, which a disk takes milliseconds for and
 * memory nothing; what a crash leaves is tried on a disk, by `npm run test:crash`.
 */
const MEMORY = '/dev/shm'
const ROOM_BYTES = 2 * 1024 ** 3

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY)
    return bavail * bsize > ROOM_BYTES
  } catch {
    return false
  }
}

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
    env: hasRoom() ? { TMPDIR: MEMORY } : {},
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // A machine in use starts threads and processes late; what never comes fails all the same.
    expect: { poll: { timeout: 10_000 } },
  },
})
