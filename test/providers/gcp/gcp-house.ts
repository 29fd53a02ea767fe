import { onTestFinished } from 'vitest'
import { gcp } from '../../../providers/gcp/index.ts'
import { ManualTime } from '../../fixture/time.ts'
import { type UpstreamHouse, upstreamHouse } from '../../fixture/upstream-house.ts'
import type { GcpSandbox } from '../../sandbox/gcp/index.ts'
import { POOL, SECRETS, settingsFor, startSandbox, VIEW_TICKETS } from './fixture.ts'

/** A broker over a pool of service accounts of a sandbox that goes by the same clock. */
export async function gcpHouse({
  accounts = POOL,
  propagationMs,
}: {
  readonly accounts?: readonly string[]
  readonly propagationMs: number
}): Promise<{ readonly house: UpstreamHouse; readonly sandbox: GcpSandbox }> {
  const time = new ManualTime()
  const { sandbox } = await startSandbox(propagationMs, time.wall)
  onTestFinished(() => sandbox.close())
  const house = await upstreamHouse({
    time,
    definition: gcp,
    settings: settingsFor(sandbox),
    secrets: SECRETS,
    target: { service_accounts: accounts },
    intent: VIEW_TICKETS,
  })
  return { house, sandbox }
}
