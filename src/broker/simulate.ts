import { MayflyError } from '../errors.ts'
import type { Decision } from '../model/decision.ts'
import { startPolicyThread } from '../policy/apart.ts'
import { type AgentDescription, questionOf } from '../policy/described.ts'
import { decideAll } from '../policy/engine.ts'
import type { PolicySource } from '../policy/policy-set.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { neededFor } from './explain.ts'
import { inputsOf } from './kept-input.ts'
import { mayRead, tenantsFor } from './operator.ts'
import { findDecision } from './read.ts'

export interface SimulationRequest {
  /** Absent: the policies in force. */
  readonly policies: readonly PolicySource[] | undefined
  /** A described question, or the id of a stored decision whose questions are asked again. */
  readonly about: { readonly request: AgentDescription } | { readonly decision: string }
}

export interface Simulation {
  readonly inputs: readonly AgentDescription[]
  readonly verdict: Decision
  /** What the policies in force say. */
  readonly inForce: Decision
  /** What the policies in force would have needed for a permit. */
  readonly needed: readonly string[]
}

const PER_MINUTE = 30
/** Proposed policies take a thread with memory of its own for up to the deadline. */
const PROPOSALS_PER_MINUTE = 6
const ALL_PROPOSALS_PER_MINUTE = 12
const DEADLINE_MS = 10_000

/**
 * may read → find inputs → decide under the policies in force → and under those proposed
 *
 * Has no effect and leaves no trace: nothing is stored, issued or ended. Proposed policies are
 * parsed and asked in a thread of their own, so that they cost no other request anything.
 */
export async function simulate(
  broker: Broker,
  by: OperatorCaller,
  request: SimulationRequest,
): Promise<Simulation> {
  const inputs = await inputsFor(broker, by, request.about)
  takePace(broker, `simulate ${by.operator.name}`, PER_MINUTE)
  if (request.policies) {
    takePace(broker, `propose ${by.operator.name}`, PROPOSALS_PER_MINUTE)
    takePace(broker, 'propose', ALL_PROPOSALS_PER_MINUTE)
  }
  const questions = inputs.map((input) => questionOf(input))
  const { policy } = broker.world()
  const inForce = decideAll(policy, questions)
  if (!inForce) {
    throw new MayflyError(
      'invalid_request',
      'no policy was asked for this decision: a rail refused',
      {
        problems: [{ path: 'decision', message: 'rests on no policy' }],
      },
    )
  }
  const verdict = request.policies ? await decideUnder(request.policies, inputs) : inForce
  return { inputs, verdict, inForce, needed: neededFor(policy, { decision: inForce, questions }) }
}

/** Of the operator's own tenants only; a foreign decision is an unknown one (P11). */
async function inputsFor(
  broker: Broker,
  by: OperatorCaller,
  about: SimulationRequest['about'],
): Promise<readonly AgentDescription[]> {
  if ('decision' in about) {
    return await inputsOf(broker, await findDecision(broker, by, about.decision))
  }
  const tenants = tenantsFor(broker, by.operator, 'readLeases')
  if (mayRead(tenants, about.request.agent.tenant)) return [about.request]
  throw new MayflyError('forbidden', 'no policy lets this operator read this tenant')
}

async function decideUnder(
  policies: readonly PolicySource[],
  inputs: readonly AgentDescription[],
): Promise<Decision> {
  const thread = startPolicyThread(policies)
  const late = setTimeout(() => void thread.close(), DEADLINE_MS)
  try {
    const loaded = await thread.loaded
    if (!loaded.ok) {
      const problems = loaded.problems.map(({ path, message }) => ({
        path: `policies: ${path}`,
        message,
      }))
      throw new MayflyError('invalid_request', 'the proposed policies cannot be used', { problems })
    }
    const decision = await thread.decide(inputs)
    if (decision) return decision
    throw new Error('the proposed policies gave no answer')
  } catch (error) {
    if (error instanceof MayflyError) throw error
    // Too large for the thread, or too slow: a matter of what was proposed, not of the broker.
    throw new MayflyError('invalid_request', 'the proposed policies could not be asked', {
      cause: error,
      problems: [{ path: 'policies', message: `gave no answer within ${DEADLINE_MS / 1000} s` }],
    })
  } finally {
    clearTimeout(late)
    await thread.close()
  }
}

function takePace({ pace }: Broker, key: string, perMinute: number): void {
  const wait = pace.take(key, perMinute)
  if (wait === undefined) return
  throw new MayflyError('limit_reached', 'policies were simulated too often this minute', {
    retryAfterSeconds: wait,
  })
}
