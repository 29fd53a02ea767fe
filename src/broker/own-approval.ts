import { matchesWorkload } from '../identity/match.ts'
import type { AgentConfig } from '../identity/settings.ts'
import type { Task } from '../model/task.ts'
import type { OperatorCaller } from './authenticate.ts'

/**
 * Whether an operator would say yes to themselves: they show the evidence of a workload whose work
 * it is, their `match` fits one, or they are the configured owner of its agent (by the operator's
 * name, or by `email` or `sub` of their evidence). Holds for everybody the work came through.
 */
export function isOwnApproval(
  { operator, workload }: OperatorCaller,
  principals: readonly { readonly task: Task; readonly agent: AgentConfig | undefined }[],
): boolean {
  const names = [operator.name, workload?.claims.email, workload?.subject]
  const known = names.filter((name) => name !== undefined).map((name) => name.toLowerCase())
  return principals.some(
    ({ task, agent }) =>
      task.workload === workload?.name ||
      (operator.match !== undefined && matchesWorkload(operator.match, { ...task, lists: {} })) ||
      known.includes(agent?.owner.toLowerCase() ?? ''),
  )
}
