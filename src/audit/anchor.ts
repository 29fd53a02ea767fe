import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { type AnchorLine, parseAnchor } from './verify.ts'

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

/** Holds many lines, whatever was torn among them. */
const TAIL_BYTES = 16_384

/** The last head an anchor holds; undefined where there is none, or it cannot be read (a pipe). */
export async function lastAnchored(path: string): Promise<AnchorLine | undefined> {
  try {
    // A pipe is not waited for: whoever opens one without a writer would wait for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stat = await file.stat()
      if (!stat.isFile()) return undefined
      const length = Math.min(stat.size, TAIL_BYTES)
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, stat.size - length)
      return lastLine(buffer.toString('utf8'))
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}

function lastLine(text: string): AnchorLine | undefined {
  for (const line of text.split('\n').toReversed()) {
    try {
      const [found] = parseAnchor(line)
      if (found !== undefined) return found
    } catch {}
  }
  return undefined
}
