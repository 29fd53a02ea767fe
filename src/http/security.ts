/** How callers prove who they are, for the description; `authenticate` is what does it. */
export const SCHEMES = {
  evidence: {
    type: 'http',
    scheme: 'bearer',
    description: "The workload's own token of a configured issuer.",
  },
  task: {
    type: 'http',
    scheme: 'bearer',
    description: 'The token of one open task (mft_…) that is bound to no DPoP key.',
  },
  dpop: {
    type: 'http',
    scheme: 'DPoP',
    description:
      'Evidence or task token with a proof of a key in the header `DPoP` (RFC 9449): `htm`, `htu` below the public address, `iat`, `jti`, `ath`, and the `nonce` that a first answer gives with `error="use_dpop_nonce"`. A task opened so is bound: every later call needs a proof of the same key.',
  },
  certificate: {
    type: 'mutualTLS',
    description:
      'A client certificate of a configured authority (RFC 8705). Beside evidence it binds the task: every later call needs the same certificate. An X.509-SVID of a configured trust domain is evidence by itself.',
  },
  operator: {
    type: 'http',
    scheme: 'bearer',
    description: "An operator token (mfo_…), or an operator's token of a configured issuer.",
  },
  gateway: {
    type: 'http',
    scheme: 'bearer',
    description: "A gateway's token (mfg_…), or its token of a configured issuer.",
  },
  resourceServer: {
    type: 'http',
    scheme: 'basic',
    description: 'Name and secret of a configured resource server.',
  },
  signature: {
    type: 'apiKey',
    in: 'header',
    name: 'webhook-signature',
    description: 'Standard Webhooks: with webhook-id and webhook-timestamp, over the exact body.',
  },
} as const

/** Any one of these opens a task. */
export const BY_EVIDENCE: Record<string, string[]>[] = [
  { evidence: [] },
  { dpop: [] },
  { evidence: [], certificate: [] },
  { certificate: [] },
]

/** Any one of these speaks for a task: the one it was opened with. */
export const BY_TASK: Record<string, string[]>[] = [
  { task: [] },
  { dpop: [] },
  { task: [], certificate: [] },
]
