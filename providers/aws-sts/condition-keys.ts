import { patternCovers } from './patterns.ts'

/**
 * Condition keys an intent may constrain by, with the actions whose requests carry them (Service
 * Authorization Reference). All are single-valued: `StringLike` on a multi-valued key such as
 * dynamodb:LeadingKeys would permit more than it seems to.
 */
const CONDITION_KEYS: readonly { readonly key: string; readonly actions: readonly string[] }[] = [
  { key: 's3:prefix', actions: ['s3:listbucket', 's3:listbucketversions'] },
  { key: 's3:delimiter', actions: ['s3:listbucket', 's3:listbucketversions'] },
  { key: 's3:versionid', actions: ['s3:getobjectversion*', 's3:deleteobjectversion*'] },
  { key: 's3:existingobjecttag/*', actions: ['s3:getobject*', 's3:deleteobject*'] },
  { key: 'secretsmanager:versionstage', actions: ['secretsmanager:getsecretvalue'] },
  { key: 'kms:viaservice', actions: ['kms:*'] },
  {
    key: 'kms:encryptioncontext:*',
    actions: ['kms:encrypt', 'kms:decrypt', 'kms:reencrypt*', 'kms:generatedatakey*'],
  },
  { key: 'ec2:resourcetag/*', actions: ['ec2:*'] },
  { key: 'aws:resourcetag/*', actions: ['*'] },
  { key: 'aws:requestedregion', actions: ['*'] },
]

/** The actions that need `s3:prefix`: without it they list a whole bucket. */
export const LISTING_ACTIONS = ['s3:listbucket', 's3:listbucketversions']

export function isConditionKey(key: string): boolean {
  return entryOf(key) !== undefined
}

export function conditionKeyNames(): string {
  return CONDITION_KEYS.map((entry) => entry.key).join(', ')
}

/** Whether every request the action pattern can match carries the key. */
export function carriesKey(action: string, key: string): boolean {
  const actions = entryOf(key)?.actions ?? []
  return actions.some((known) => patternCovers(known, action.toLowerCase()))
}

function entryOf(key: string) {
  return CONDITION_KEYS.find((entry) => patternCovers(entry.key, key.toLowerCase()))
}
