/** A real Mayfly, with an upstream that costs nothing. argv: the configuration file. */
import { randomBytes } from 'node:crypto'
import { pooled } from '../../src/random.ts'
import { serve } from '../../src/serve.ts'
import { noopProvider } from './noop-provider.ts'

const [file = ''] = process.argv.slice(2)
const firstRevoked = new Map<string, number>()
const served = await serve({
  file,
  env: process.env,
  providerTypes: { noop: async () => noopProvider(firstRevoked) },
  clockSource: {
    wall: Date.now,
    monotonic: () => performance.now(),
    after: (ms, run) => {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
  },
  random: pooled(randomBytes),
  logTo: process.stdout,
  port: 0,
})
process.send?.({ url: served.url })
process.on('message', (asked) => {
  if (asked === 'revoked') process.send?.({ revoked: Object.fromEntries(firstRevoked) })
})
process.on('disconnect', () => {
  void served.stop().finally(() => process.exit(0))
})
