export interface SelectorWire {
  lease?: string
  task?: string
  agent?: string
  workload?: string
  tenant?: string
  entitlement?: string
  provider?: string
  target?: string
  issuer?: string
  policy_hash?: string
  all?: true
}
