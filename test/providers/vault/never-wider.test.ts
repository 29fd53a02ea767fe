import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compilePolicy } from '../../../providers/vault/compile.ts'
import { CAPABILITIES } from '../../../providers/vault/vocabulary.ts'
import type { IntentItem } from '../../../src/model/intent.ts'
import { aclOf } from '../../sandbox/vault/acl.ts'
import { parsePolicy } from '../../sandbox/vault/policy-document.ts'
import { anyLocation, anyPath, pathMatcher } from './path-oracle.ts'

/**
 * Ten thousand intents, compiled by Mayfly and judged by the sandbox's ACL, which is written from
 * Vault's documentation, shares nothing with the provider, and agrees with a real OpenBao (interop).
 */
const INTENTS = 10_000

it('P4: ten thousand random intents never compile to more, or less, than they say', {
  timeout: 60_000,
}, () => {
  let judged = 0
  fc.assert(
    fc.property(
      fc.array(anyItem, { minLength: 1, maxLength: 4 }),
      fc.array(anyPath, { minLength: 8, maxLength: 12 }),
      (items, paths) => {
        const policy = compilePolicy(items)
        if ('refused' in policy) return
        judged += 1
        const acl = aclOf([parsePolicy(JSON.stringify(policy))])
        for (const bare of paths) {
          for (const operation of CAPABILITIES) {
            const path = operation === 'list' ? `${bare.replace(/\/$/, '')}/` : bare
            const given = acl.allows({ operation, path, data: {} })
            const said = items.some((item) => says(item, operation, path))
            if (given !== said) expect({ items, operation, path, given }).toEqual(said)
          }
        }
      },
    ),
    { numRuns: INTENTS },
  )
  expect(judged).toBeGreaterThan(INTENTS / 10)
})

function says({ actions, locations }: IntentItem, action: string, path: string): boolean {
  return actions.includes(action) && locations.some((one) => pathMatcher(one)(path))
}

const anyItem: fc.Arbitrary<IntentItem> = fc
  .record({
    type: fc.constant('vault'),
    actions: fc.subarray([...CAPABILITIES], { minLength: 1, maxLength: 4 }),
    locations: fc.array(anyLocation, { minLength: 1, maxLength: 2 }),
  })
  .filter(
    ({ actions, locations }) =>
      !actions.includes('list') || locations.every((one) => /[/*]$/.test(one)),
  )
