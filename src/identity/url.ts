/** `text` as a URL keys may come from: https, or http on this machine. Undefined otherwise. */
export function httpsOrLoopback(text: string): URL | undefined {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') {
    return undefined
  }
  if (url.protocol === 'https:') return url
  return url.protocol === 'http:' && isLoopback(url.hostname) ? url : undefined
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/**
 * Whether two addresses are the same but for query and fragment, after RFC 3986 §6.2.2 and §6.2.3
 * normalisation: case of scheme and host, default port, dot segments, needless percent-encoding.
 */
export function sameAddress(a: string, b: string): boolean {
  const normal = normalAddress(a)
  return normal !== undefined && normal === normalAddress(b)
}

function normalAddress(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined
  if (url.username !== '' || url.password !== '') return undefined
  const path = url.pathname.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase()
  })
  return `${url.origin}${path}`
}
