import type { Upstreams } from './upstreams.ts'

/** What can be broken on purpose with `--break NAME`, to see that the demo notices. */
export const BREAKS: Readonly<Record<string, (upstreams: Upstreams) => void>> = {
  /** AWS says it wrote the deny, and did not. */
  'aws-revoke': ({ aws }) => aws.faults.plan('PutRolePolicy', { kind: 'lie' }),
  /** Vault refuses every step of an end. */
  'vault-revoke': ({ vault }) => {
    for (const operation of [
      'DELETE sys/policies/acl',
      'POST sys/leases/revoke',
      'POST auth/token/revoke-accessor',
    ]) {
      vault.faults.plan(operation, { kind: 'fail', status: 503 })
    }
  },
  /** Google answers no disable. */
  'gcp-revoke': ({ gcp }) => gcp.faults.plan('disable', { kind: 'fail', status: 503 }),
  /** AWS mints nothing. */
  'aws-mint': ({ aws }) => aws.faults.plan('AssumeRole', { kind: 'fail', status: 403 }),
}
