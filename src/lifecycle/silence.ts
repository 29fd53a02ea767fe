import type { Broker } from '../broker/broker.ts'
import type { TaskCause } from '../model/task.ts'

const CHUNK = 100

/** Ends open tasks past their deadline, and those that missed their beats, by the later clock (P7). */
export async function sweepSilence({ store, clock }: Broker): Promise<void> {
  for (;;) {
    const [now, latest] = [clock.now(), clock.latest()]
    const due = await store.tasks.due(latest, CHUNK)
    await Promise.all(
      due.map((task) => {
        const cause: TaskCause = task.deadline <= latest ? 'task-deadline' : 'heartbeat-lost'
        return store.tasks.end({ id: task.id, cause, outcome: null, actor: 'mayfly', now })
      }),
    )
    if (due.length < CHUNK) return
  }
}
