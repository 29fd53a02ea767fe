import { stringify } from 'yaml'
import type { ExplanationWire } from '../model/wire.ts'
import type { Context, ExitCode } from './command.ts'
import { safe, type Terminal } from './terminal.ts'
import { when } from './when.ts'

/** `explain`: a decision read out to a person, from the outcome to what was asked. */
export async function explain(context: Context, id: string): Promise<ExitCode> {
  const { terminal, now } = context
  const explanation = await context.api().explanation(id)
  if (terminal.json) terminal.answer(explanation)
  else readOut(terminal, { explanation, now: now() })
  return 0
}

function readOut(
  terminal: Terminal,
  { explanation, now }: { explanation: ExplanationWire; now: number },
): void {
  const { decision, policies, needed, in_force, inputs, intent } = explanation
  const what = decision.entitlement ?? 'a task'
  const color = decision.outcome === 'permit' ? 'green' : 'red'
  terminal.line(
    `${terminal.paint(color, decision.outcome)}  ${safe(decision.action)} of ${safe(what)} by agent ${safe(decision.agent)} of tenant ${safe(decision.tenant)}, ${when(decision.at, now)}`,
  )
  for (const reason of decision.reasons) terminal.line(`  ${safe(reason)}`)
  section(terminal, 'rails', decision.rails)
  for (const { id, file, text } of policies) {
    section(terminal, `policy ${id}${file === undefined ? '' : ` (${file})`}`, [
      text ?? 'its text is not kept any more',
    ])
  }
  section(terminal, 'it would have needed', needed)
  const { shadow } = decision
  if (shadow) {
    const by = shadow.policies.length > 0 ? ` by ${shadow.policies.join(', ')}` : ''
    section(terminal, 'shadow policies would have decided', [`${shadow.outcome}${by}`])
  }
  if (in_force && in_force.policy_hash !== decision.policy_hash) {
    section(terminal, 'the policies were changed since; those in force say', [
      in_force.outcome,
      ...in_force.reasons,
    ])
  }
  section(terminal, 'intent', typeof intent === 'string' ? [intent] : [stringify(intent)])
  for (const input of inputs) section(terminal, 'the policies were asked', [stringify(input)])
}

function section(terminal: Terminal, title: string, texts: readonly string[]): void {
  if (texts.length === 0) return
  terminal.line()
  terminal.line(terminal.paint('dim', safe(title)))
  for (const line of texts.flatMap((text) => text.trimEnd().split('\n'))) {
    terminal.line(`  ${safe(line)}`)
  }
}
