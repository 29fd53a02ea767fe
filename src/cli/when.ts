import { formatDuration } from '../duration.ts'

/** An RFC 3339 time as seen from `now`: `in 4m12s`, `3h ago`; as it is where it cannot be read. */
export function when(time: string | undefined, now: number): string | undefined {
  if (time === undefined) return undefined
  const at = Date.parse(time)
  if (Number.isNaN(at)) return time
  const seconds = Math.round((at - now) / 1000)
  if (seconds === 0) return 'now'
  const text = rough(Math.abs(seconds))
  return seconds > 0 ? `in ${text}` : `${text} ago`
}

/** Two units are enough for a reader: `2d3h`, `1h30m`, `4m12s`. */
function rough(seconds: number): string {
  const unit = seconds >= 86_400 ? 3_600 : seconds >= 3_600 ? 60 : 1
  return formatDuration(Math.floor(seconds / unit) * unit)
}
