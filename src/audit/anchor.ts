import { open } from 'node:fs/promises'
import type { AnchorLine } from './verify.ts'

/**
 * Appends one head of the chain to a file the host cannot rewrite (a WORM mount, a pipe to another
 * machine), durably: whoever rewrites the history later cannot make this line true again. It
 * begins on a new line, so that one torn by a crash stays the only one that cannot be read.
 */
export async function appendAnchor(path: string, line: AnchorLine): Promise<void> {
  const file = await open(path, 'a', 0o600)
  try {
    await file.write(`\n${JSON.stringify(line)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
}
