import type { Refusal } from '../../src/model/intent.ts'
import type { DescribeRequest, Description } from '../../src/provider.ts'
import { compileScope } from './compile.ts'
import { groupCapacity } from './deny-documents.ts'
import {
  type AwsSettings,
  type AwsTarget,
  maxSessionSeconds,
  NATIVE_FLOOR_SECONDS,
} from './settings.ts'

/** Measured by others 3 to 4 s; "a few minutes" officially (provider-truth §3.7). */
const PROPAGATION = { typicalSeconds: 4, worstSeconds: 300 }

/** What a lease on this role would be, before anything is minted. */
export function describe(request: DescribeRequest<AwsSettings, AwsTarget>): Description | Refusal {
  const { settings, target, intent } = request
  const compiled = compileScope(intent)
  if ('refused' in compiled) return compiled
  return {
    scope: {
      role: target.role_arn,
      policy: { Version: '2012-10-17', Statement: compiled.statements },
    },
    target: target.role_arn,
    group: target.role_arn,
    groupCapacity: groupCapacity(),
    lifetime: {
      nativeFloorSeconds: NATIVE_FLOOR_SECONDS,
      maxSeconds: maxSessionSeconds(target),
    },
    revocability: 'propagating',
    propagation: PROPAGATION,
    proof: settings.proof ? 'canary' : 'expiry',
    custody: 'none',
    residuals: compiled.residuals,
  }
}
