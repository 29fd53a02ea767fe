import { expect, it } from 'vitest'
import { SecretSearch } from './secret-search.ts'

it('P2: a search for thousands of secrets finds each in every form, wherever it stands', () => {
  const secrets = Array.from({ length: 2_000 }, (_, n) => `mft_${`${n}`.repeat(9)}&"ü`)
  const [first = '', second = '', third = ''] = secrets.slice(-3)
  const short = 'pässw'
  const place = (text: string | Buffer) => {
    const search = new SecretSearch({ secrets: [...secrets, short] })
    search.place('somewhere', text)
    return search.found
  }
  const hint = (secret: string) => `somewhere holds ${secret.slice(0, 6)}…`
  expect(place(`${first} and, at the end, ${second}`)).toEqual([hint(first), hint(second)])
  for (const as of [
    third,
    Buffer.from(third).toString('base64url'),
    Buffer.from(third).toString('hex'),
    encodeURIComponent(third),
    JSON.stringify(third),
  ]) {
    expect(place(`x${as}`)).toEqual([hint(third)])
    expect(place(as.slice(0, -2))).toEqual([])
  }
  expect(place(`mft_ mft_${'7'.repeat(8)} ${first.slice(1)} ${short}`)).toEqual([hint(short)])
  expect(place('mft_')).toEqual([])
  expect(place('')).toEqual([])
})
