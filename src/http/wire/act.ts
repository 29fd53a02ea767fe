import { z } from '@hono/zod-openapi'
import type { Chain } from '../../model/chain.ts'
import type { ActWire } from '../../model/wire.ts'

/** Who acts, and for whom, in the form of the `act` claim (RFC 8693 §4.1). */
export const actAnswer: z.ZodType<ActWire> = z
  .strictObject({
    sub: z.string().openapi({ description: 'An agent.' }),
    task: z.string().optional().openapi({ description: 'The task it acts in.' }),
    get act(): z.ZodOptional<z.ZodType<ActWire>> {
      return actAnswer.optional()
    },
  })
  .openapi('Act', {
    description:
      'The chain of a delegation as RFC 8693 §4.1 nests it: who acts outermost, who delegated first innermost.',
  })

/** Absent where nobody delegated: then the agent acts for itself. */
export function actWire(current: {
  readonly agent: string
  readonly task: string | null
  readonly chain: Chain
}): { act?: ActWire } {
  const { agent, task, chain } = current
  if (chain.length === 0) return {}
  const before = chain.reduceRight<ActWire | undefined>(
    (act, one) => ({ sub: one.agent, task: one.task, ...(act && { act }) }),
    undefined,
  )
  return { act: { sub: agent, ...(task !== null && { task }), ...(before && { act: before }) } }
}
