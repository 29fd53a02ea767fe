import { AGENT, INTENT, SOURCE } from './configuration.ts'
import { WORKLOAD } from './issuer.ts'
import type { World } from './world.ts'

/** What to type while everything stays up; each block can be pasted as it is. */
export function invitation(world: World): string[] {
  const { url, issuer, upstreams } = world
  return [
    'Everything stays up until Ctrl-C. In another terminal, in this folder:',
    '',
    `  Mayfly  ${url} (its API: ${url}/openapi.json)`,
    `  Issuer  ${issuer.url}`,
    `  AWS     ${upstreams.aws.endpoint}`,
    `  Vault   ${upstreams.vault.address}`,
    `  Google  ${upstreams.gcp.url}`,
    '',
    ...asOperator(world),
    '',
    ...asWorkload(world),
    '',
    ...asSiem(world),
  ]
}

const CLI = 'npm run -s mayfly --'

function asOperator({ url, configuration }: World): string[] {
  return [
    '# as the operator',
    `export MAYFLY_URL=${url}`,
    `export MAYFLY_TOKEN=${configuration.operatorToken}`,
    `${CLI} leases ls`,
    `${CLI} decisions ls --outcome deny`,
    `${CLI} audit verify`,
  ]
}

function asWorkload({ issuer }: World): string[] {
  const [s3] = INTENT
  return [
    '# as the workload: fetch evidence, open a task, ask for a credential',
    `EVIDENCE=$(curl -s -u ${WORKLOAD}:${issuer.clientSecret} \\`,
    `  -d grant_type=client_credentials ${issuer.url}/token | grep -o 'eyJ[^"]*')`,
    'OPENED=$(curl -s -H "authorization: Bearer $EVIDENCE" -H "content-type: application/json" \\',
    `  -d '{"purpose": "try it", "intent": [`,
    `    ${JSON.stringify({ type: s3?.type, identifier: s3?.identifier }).slice(0, -1)},`,
    `    ${JSON.stringify({ actions: s3?.actions, locations: s3?.locations }).slice(1)}]}' \\`,
    '  $MAYFLY_URL/v1/tasks)',
    `TASK=$(echo "$OPENED" | grep -o 'task_[a-z2-7]*' | head -1)`,
    `TOKEN=$(echo "$OPENED" | grep -o 'mft_[A-Za-z0-9_-]*')`,
    'curl -s -H "authorization: Bearer $TOKEN" -H "content-type: application/json" \\',
    `  -d '{"entitlement": "tickets-s3"}' $MAYFLY_URL/v1/tasks/$TASK/credentials`,
  ]
}

function asSiem({ configuration }: World): string[] {
  return [
    '# as the SIEM: contain the agent with a signed message; the operator undoes it',
    `export SIEM_SECRET=${configuration.siemSecret}`,
    `${CLI} signal send --source ${SOURCE} --secret env:SIEM_SECRET \\`,
    `  --agent ${AGENT} --action kill --reason "try it"`,
    `${CLI} kills ls`,
    `${CLI} endings ls`,
    `${CLI} blocks ls`,
    `${CLI} blocks lift BLOCK`,
  ]
}
