import type { Broker } from '../broker/broker.ts'
import type { TaskCause } from '../model/task.ts'

const CHUNK = 100

/** Ends open tasks past their deadline, and those that missed their beats (P7). */
export async function sweepSilence({ store, clock }: Broker): Promise<void> {
  for (;;) {
    const now = clock.now()
    const due = await store.tasks.due(now, CHUNK)
    await Promise.all(
      due.map((task) => {
        const cause: TaskCause = task.deadline <= now ? 'task-deadline' : 'heartbeat-lost'
        return store.tasks.end({ id: task.id, cause, outcome: null, actor: 'mayfly', now })
      }),
    )
    if (due.length < CHUNK) return
  }
}
