import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { attempt, printed } from './operator.ts'
import { demand, eventually, type Stage } from './stage.ts'

/** An operator keeps a receipt and the public keys → they are believed alone, and only unchanged. */
export async function keepReceipt(stage: Stage): Promise<void> {
  const { timeline, world } = stage
  const { id } = await eventually(
    'a lease that the signal ended is proved to be dead',
    async () => {
      const { items } = await world.operator.leases({ state: 'ended' })
      return items.find(({ cause, containment }) => cause === 'signal' && containment === 'proved')
    },
  )
  const dir = mkdtempSync(join(dirname(world.configuration.file), 'kept-'))
  const keep = (name: string, text: string) => {
    writeFileSync(join(dir, name), text)
    return join(dir, name)
  }
  const jws = (await printed(stage, ['receipt', id, '--jws'])).trim()
  timeline.event('kept', `mayfly receipt ${id} --jws > receipt.jws`)
  const jwks = keep('keys.json', await printed(stage, ['receipt', 'keys']))
  timeline.event('kept', 'mayfly receipt keys > keys.json')
  const verify = (file: string) =>
    // Neither where the broker is nor who asks: nothing but the two files.
    attempt(stage, { args: ['receipt', 'verify', file, '--jwks', jwks], env: {} })
  try {
    const good = await verify(keep('receipt.jws', jws))
    const [, sentence = ''] = good.stdout.split('\n')
    demand(good.code === 0, `the receipt is not valid: ${good.stdout}${good.stderr}`)
    timeline.event('verified', 'by the two files alone, without the broker:', 'good')
    for (const part of sentence.trim().split('; ')) timeline.detail('', part, 'dim')
    const forged = await verify(keep('forged.jws', neverExposed(jws)))
    demand(forged.code === 1, 'a receipt that somebody changed is believed')
    timeline.event('forged', forged.stdout.trim(), 'good')
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** The same receipt, but as if the credential had died at once. */
function neverExposed(jws: string): string {
  const [header, payload = '', signature] = jws.split('.')
  const text = Buffer.from(payload, 'base64url').toString()
  const changed = text.replace(/"exposed_seconds":\d+/, '"exposed_seconds":-1')
  demand(changed !== text, 'the receipt does not say how long its credential was exposed')
  return [header, Buffer.from(changed).toString('base64url'), signature].join('.')
}
