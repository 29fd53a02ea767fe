import type { KeyContext } from './documents.ts'
import { gcpIssuer } from './gcp.ts'
import { githubActionsIssuer } from './github-actions.ts'
import type { Issuer } from './issuer.ts'
import { type IssuerConfig, issuerUrl, type TokenIssuerConfig } from './issuer-settings.ts'
import { kubernetesIssuer } from './kubernetes.ts'
import { oidcIssuer } from './oidc.ts'
import { spiffeIssuer } from './spiffe.ts'

/** The configured issuers; a token chooses among them and nothing else. */
export interface Issuers {
  /** By `iss`, else by the trust domain of a SPIFFE ID in `sub`. */
  of(payload: Readonly<Record<string, unknown>>): Issuer | undefined
}

export function openIssuers(configs: readonly IssuerConfig[], context: KeyContext): Issuers {
  const tokens = configs.filter((config) => config.type !== 'spiffe-x509')
  const byUrl = new Map(tokens.map((config) => [issuerUrl(config), open(config, context)]))
  return {
    of: ({ iss, sub }) => {
      const issuer = typeof iss === 'string' ? byUrl.get(iss) : undefined
      if (issuer?.rules.iss !== undefined) return issuer
      const domain = typeof sub === 'string' ? /^spiffe:\/\/[^/]*/.exec(sub)?.[0] : undefined
      return domain === undefined ? undefined : byUrl.get(domain)
    },
  }
}

function open(config: TokenIssuerConfig, context: KeyContext): Issuer {
  switch (config.type) {
    case 'oidc':
      return oidcIssuer(config, context)
    case 'kubernetes':
      return kubernetesIssuer(config, context)
    case 'spiffe':
      return spiffeIssuer(config, context)
    case 'github-actions':
      return githubActionsIssuer(config, context)
    case 'gcp':
      return gcpIssuer(config, context)
  }
}
