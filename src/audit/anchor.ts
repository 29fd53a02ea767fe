import { open } from 'node:fs/promises'
import type { AnchorLine } from './verify.ts'

/**
 * Appends one head of the chain to a file the host cannot rewrite (a WORM mount, a pipe to another
 * machine), durably: whoever rewrites the history later cannot make this line true again.
 */
export async function appendAnchor(path: string, line: AnchorLine): Promise<void> {
  const file = await open(path, 'a', 0o600)
  try {
    await file.write(`${JSON.stringify(line)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
}
