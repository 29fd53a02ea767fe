import type { ApprovalStore } from '../store.ts'
import type { GroupCommit } from './commit.ts'

/** Whoever waits for an approval hears of every commit that changed it. */
export interface ApprovalWaiting {
  /** Within a transaction; if that is undone, who waits looks once in vain. */
  touch(id: string): void
  watch: ApprovalStore['watch']
  letGo: ApprovalStore['letGo']
}

/** More than an agent and its operators need; each may hold a connection. */
const MAX_WAITING = 16

export function approvalWaiting(commit: GroupCommit): ApprovalWaiting {
  const listeners = new Map<string, Set<() => void>>()
  const touched = new Set<string>()
  let stopping = false
  commit.onCommit(() => {
    if (touched.size === 0) return
    const changed = [...touched]
    touched.clear()
    for (const id of changed) for (const listener of listeners.get(id) ?? []) listener()
  })
  return {
    touch(id) {
      if (listeners.has(id)) touched.add(id)
    },
    watch(id, listener) {
      const waiting = listeners.get(id) ?? new Set()
      if (stopping || waiting.size >= MAX_WAITING) return undefined
      listeners.set(id, waiting.add(listener))
      return {
        stop() {
          waiting.delete(listener)
          if (waiting.size === 0) listeners.delete(id)
        },
      }
    },
    letGo() {
      stopping = true
      for (const waiting of [...listeners.values()]) for (const listener of waiting) listener()
    },
  }
}
