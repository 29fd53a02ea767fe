import type { Clock } from '../clock.ts'
import { UpstreamError } from '../provider.ts'

/** What a provider answers, or an `UpstreamError` of unknown outcome with `late` for its message. */
export function answerWithin<T>(
  { clock, ms, late }: { readonly clock: Clock; readonly ms: number; readonly late: string },
  asked: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(new UpstreamError('unknown', late)))
    asked.then(resolve, reject).finally(cancel)
  })
}
