import { matchesWorkload } from './match.ts'
import type { AgentConfig } from './settings.ts'
import type { Workload } from './workload.ts'

/**
 * All agents a workload matches. Most agents name one `sub` whole: those are looked up, so that
 * opening a task costs the same among ten agents and ten thousand; the others are tried in turn.
 */
export function agentIndex(
  agents: readonly AgentConfig[],
): (workload: Workload) => readonly AgentConfig[] {
  const bySub = new Map<string, AgentConfig[]>()
  const others: AgentConfig[] = []
  for (const agent of agents) {
    const { issuer, claims } = agent.match
    const { sub } = claims
    if (sub === undefined || sub.includes('*')) others.push(agent)
    else bySub.set(keyOf(issuer, sub), [...(bySub.get(keyOf(issuer, sub)) ?? []), agent])
  }
  return (workload) => {
    const { issuer, claims, lists } = workload
    const whole = Object.hasOwn(lists, 'sub')
      ? [...bySub.values()].flat()
      : (bySub.get(keyOf(issuer, claims.sub ?? '')) ?? [])
    return [...whole, ...others].filter((agent) => matchesWorkload(agent.match, workload))
  }
}

function keyOf(issuer: string, sub: string): string {
  return JSON.stringify([issuer, sub])
}
