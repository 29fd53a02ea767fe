/** One cell in a process of its own, as `outage.ts` starts it: says what it came to as JSON. */
import { parseArgs } from 'node:util'
import { runCell } from './cell.ts'
import { PROVIDERS } from './ground.ts'
import { TROUBLES } from './trouble.ts'

const text = { type: 'string', default: '' } as const
const { values } = parseArgs({
  options: { provider: text, trouble: text, leases: text, seed: text },
})
const provider = PROVIDERS.find((name) => name === values.provider)
const trouble = TROUBLES.find(({ name }) => name === values.trouble)
if (!provider || !trouble) throw new Error('no such cell')
const cell = await runCell({
  provider,
  trouble,
  leases: Number(values.leases),
  seed: Number(values.seed),
})
process.stdout.write(JSON.stringify(cell))
