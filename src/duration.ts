const UNITS: Record<string, number> = { d: 86_400, h: 3_600, m: 60, s: 1 }
const FORM = /^(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?$/

/** Parses `90s`, `15m`, `1h30m`, `2d` into whole seconds; undefined for any other form. */
export function parseDuration(text: string): number | undefined {
  const match = FORM.exec(text)
  if (!match || text === '') return undefined
  return ['d', 'h', 'm', 's'].reduce(
    (sum, unit, i) => sum + Number(match[i + 1] ?? 0) * (UNITS[unit] ?? 0),
    0,
  )
}

/** Writes whole seconds as the shortest form that `parseDuration` reads back. */
export function formatDuration(seconds: number): string {
  let rest = Math.max(0, Math.round(seconds))
  let text = ''
  for (const [unit, size] of Object.entries(UNITS)) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}
