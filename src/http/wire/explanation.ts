import { z } from '@hono/zod-openapi'
import type { Explanation } from '../../broker/explain.ts'
import type { Simulation } from '../../broker/simulate.ts'
import type { ExplanationWire, SimulationWire } from '../../model/wire.ts'
import { known } from './known.ts'
import { decisionAnswer, decisionWire } from './record.ts'
import { verdictAnswer, verdictWire } from './verdict.ts'

export const explanationAnswer = z
  .strictObject({
    decision: decisionAnswer,
    intent: z.unknown(),
    inputs: z.array(z.record(z.string(), z.unknown())),
    policies: z.array(
      z.strictObject({
        id: z.string(),
        file: z.string().optional(),
        text: z.string().optional(),
      }),
    ),
    in_force: verdictAnswer.optional(),
    needed: z.array(z.string()),
  })
  .openapi('Explanation')

export function explanationWire(explanation: Explanation): ExplanationWire {
  const { decision, inputs, policies, now, needed } = explanation
  return {
    decision: decisionWire(decision),
    intent: decision.request.intent ?? null,
    inputs: [...inputs],
    policies: policies.map((policy) => ({ ...policy })),
    needed: [...needed],
    ...known({ in_force: now && verdictWire(now) }),
  }
}

export const simulationAnswer = z
  .strictObject({
    inputs: z.array(z.record(z.string(), z.unknown())),
    verdict: verdictAnswer,
    in_force: verdictAnswer,
    needed: z.array(z.string()),
  })
  .openapi('Simulation')

export function simulationWire({ inputs, verdict, inForce, needed }: Simulation): SimulationWire {
  return {
    inputs: [...inputs],
    verdict: verdictWire(verdict),
    in_force: verdictWire(inForce),
    needed: [...needed],
  }
}
