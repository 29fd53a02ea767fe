/**
 * IAM's wildcard match: `*` is any run of characters, `?` exactly one; both may cross colons and
 * slashes. Written for the sandbox alone, so that it can judge the provider's own reasoning.
 */
export function wildcardMatch(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++
      mark = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** Actions compare without regard to case. */
export function actionMatch(pattern: string, action: string): boolean {
  return wildcardMatch(pattern.toLowerCase(), action.toLowerCase())
}

/** `ArnLike`: each of the six colon-separated parts by itself; the last keeps further colons. */
export function arnLike(pattern: string, arn: string): boolean {
  const patterns = arnParts(pattern)
  const parts = arnParts(arn)
  return (
    patterns.length === parts.length &&
    patterns.every((part, i) => wildcardMatch(part, parts[i] ?? ''))
  )
}

function arnParts(arn: string): string[] {
  const parts = arn.split(':')
  return [...parts.slice(0, 5), parts.slice(5).join(':')]
}
