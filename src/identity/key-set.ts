import type { JWK, JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { type DocumentFetch, documentFetch, getJson, type KeyContext } from './documents.ts'
import { KEY_MAX_AGE_MS, rememberedKeys } from './keys.ts'
import type { Send } from './send.ts'

const keySetSchema = z.object({ keys: z.array(z.looseObject({})) })

/** The key set (RFC 7517 §5) of an issuer, at an address that `find` knows or asks for. */
export function keySetAt(
  place: {
    /** The issuer's name. */
    readonly issuer: string
    readonly send: Send
    find(fetchDocument: DocumentFetch): Promise<string>
  },
  context: KeyContext,
): JWTVerifyGetKey {
  const { issuer, send, find } = place
  const fetchDocument = documentFetch(issuer, send, context)
  const read = async () => {
    const parsed = keySetSchema.safeParse(await getJson(fetchDocument, await find(fetchDocument)))
    if (!parsed.success) throw new Error('what it publishes is no key set')
    // jose checks every member as a JWK when it is used.
    return { keys: parsed.data.keys as JWK[], believedMs: KEY_MAX_AGE_MS }
  }
  return rememberedKeys({ issuer, read }, context)
}
