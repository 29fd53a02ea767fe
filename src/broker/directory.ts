import type { SignalSource } from '../config.ts'
import { issuerUrl } from '../identity/issuer-settings.ts'
import { withoutAbsent } from '../model/optional.ts'
import { canonical, type Directory } from '../signals/resolve-subject.ts'
import type { World } from './broker.ts'

/** What identifiers can mean under this configuration, to this source. */
export function directoryOf({ config }: World, source: SignalSource): Directory {
  const told = source.type === 'ssf' ? source : { subjects: [], critical_members: [] }
  return {
    issuers: config.issuers.map((issuer) => ({ name: issuer.name, url: issuerUrl(issuer) })),
    agents: config.agents.map(({ id, tenant, match }) => {
      const { email } = match.claims
      return { id, tenant, email: email?.includes('*') ? undefined : email }
    }),
    ownUrl: config.server.publicUrl,
    named: new Map(
      told.subjects.map(({ identifier, ...names }) => [
        canonical(identifier),
        withoutAbsent(names),
      ]),
    ),
    critical: told.critical_members,
  }
}
