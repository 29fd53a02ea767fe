import { MayflyError } from '../errors.ts'
import type { ReloadWire } from '../model/wire.ts'
import { type OutputStream, safe } from './terminal.ts'

/**
 * What SIGHUP does: a reload in the broker's own name. What it changed is in the broker's log; a
 * refusal, after which nothing has changed, is said on `stderr` with every problem.
 */
export function reloadOnHangup(
  reload: (request: { actor: 'mayfly' }) => Promise<ReloadWire>,
  stderr: OutputStream,
): () => void {
  return () => {
    reload({ actor: 'mayfly' }).then(
      ({ applied, would_end, confirm }) => {
        if (applied) return
        stderr.write(
          `mayfly: the reload would end ${would_end} leases and waits: mayfly reload --confirm ${confirm}\n`,
        )
      },
      (error: unknown) => {
        const text = error instanceof Error ? error.message : String(error)
        stderr.write(`mayfly: reload refused: ${safe(text)}\n`)
        for (const { path, message } of (error instanceof MayflyError && error.problems) || []) {
          stderr.write(`  ${safe(path)}: ${safe(message)}\n`)
        }
      },
    )
  }
}
