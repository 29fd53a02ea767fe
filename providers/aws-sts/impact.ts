import type { Impact } from '../../src/model/intent.ts'
import { patternCovers, patternsOverlap } from './patterns.ts'

/**
 * What an action on any of the locations can do of what the strictest checks are kept for. A wildcard has
 * every impact of anything it could match, and an action not listed as harmless counts as a write
 * that destroys: the tables err to the strict side.
 */
export function impactOf(action: string, locations: readonly string[]): readonly Impact[] {
  const name = action.toLowerCase()
  const impacts: Impact[] = []
  if (!HARMLESS.some((pattern) => patternCovers(pattern, name))) impacts.push('destructive-write')
  if (overlapsAny(name, CREDENTIAL_ACCESS)) impacts.push('credential-access')
  if (isBulkRead(name, locations)) impacts.push('bulk-read')
  if (overlapsAny(name, PRIVILEGE_ESCALATION)) impacts.push('privilege-escalation')
  return impacts
}

/** Reads, and writes that add without replacing. */
const HARMLESS = [
  '*:get*',
  '*:list*',
  '*:describe*',
  '*:head*',
  '*:batchget*',
  '*:query',
  '*:scan',
  '*:select*',
  '*:search*',
  '*:lookup*',
  '*:view*',
  '*:check*',
  '*:estimate*',
  '*:count*',
  '*:filter*',
  '*:simulate*',
  '*:validate*',
  '*:receive*',
  'kms:decrypt',
  'kms:encrypt',
  'kms:generate*',
  'kms:sign',
  'kms:verify*',
  'sns:publish',
  'sqs:sendmessage',
  'events:putevents',
  'cloudwatch:putmetricdata',
  'logs:createlogstream',
  'logs:putlogevents',
  'logs:startquery',
  'athena:startqueryexecution',
  'bedrock:invokemodel*',
  'bedrock:converse*',
  'states:startexecution',
  'sts:*',
]

const CREDENTIAL_ACCESS = [
  'sts:*',
  'secretsmanager:getsecretvalue',
  'secretsmanager:batchgetsecretvalue',
  'secretsmanager:getrandompassword',
  'ssm:getparameter*',
  'kms:decrypt',
  'kms:reencrypt*',
  'kms:getparametersforimport',
  '*:getauthorizationtoken',
  '*:getclustercredentials*',
  'redshift-serverless:getcredentials',
  'rds-db:connect',
  'dsql:dbconnect*',
  'elasticache:connect',
  'cognito-identity:get*',
  'cognito-idp:admininitiateauth',
  'sso-oauth:create*',
  's3:createsession',
  's3:getdataaccess',
  'lakeformation:getdataaccess',
  'lakeformation:gettemporary*',
  'ec2:getpassworddata',
  'ec2:getconsole*',
  'lightsail:getinstanceaccessdetails',
  'lambda:getfunction*',
  'codebuild:batchgetprojects',
  'ecs:describetaskdefinition',
  'appsync:listapikeys',
  'apigateway:get',
  'iam:createaccesskey',
  'iam:createloginprofile',
  'iam:createservicespecificcredential',
  'iam:resetservicespecificcredential',
  'acm-pca:issuecertificate',
  'acm:exportcertificate',
]

const PRIVILEGE_ESCALATION = [
  'iam:*',
  'organizations:*',
  'account:*',
  'sso:*',
  'sso-directory:*',
  'identitystore:*',
  'ram:*',
  'sts:assume*',
  'sts:getdelegatedaccesstoken',
  '*:put*policy',
  '*:set*policy',
  '*:attach*policy',
  '*:add*permission*',
  '*:put*acl',
  '*:modify*attribute',
  'kms:creategrant',
  'lakeformation:grant*',
  'lambda:createfunction',
  'lambda:updatefunction*',
  'cloudformation:*stack*',
  'ssm:sendcommand',
  'ssm:startsession',
  'ssm:startautomation*',
  'ec2-instance-connect:*',
  'ec2:runinstances',
  'ecs:runtask',
  'ecs:registertaskdefinition',
  'ecs:executecommand',
  'eks:*accessentry',
  'eks:associateaccesspolicy',
  'glue:*job*',
  'glue:*devendpoint*',
  'sagemaker:create*',
  'codebuild:startbuild*',
  'codebuild:*project',
]

const WHOLE_STORE_READS = ['*:scan', '*:export*', '*:select*', '*:startqueryexecution']
const READS = ['*:get*', '*:list*', '*:batchget*', '*:query', '*:receive*', '*:describe*']

/** Reads of everything at once, or of a location that names a whole bucket, table or more. */
function isBulkRead(action: string, locations: readonly string[]): boolean {
  if (overlapsAny(action, WHOLE_STORE_READS)) return true
  return overlapsAny(action, READS) && locations.some(isWhole)
}

/** A wildcard in the name of the bucket, table, queue… itself, or right after a bucket's. */
function isWhole(location: string): boolean {
  if (location === '*') return true
  const [, , service, , , ...rest] = location.split(':')
  const resource = rest.join(':')
  const wildcard = resource.search(/[*?]/)
  if (wildcard < 0) return false
  const named = resource.slice(0, wildcard).split(/[/:]/)
  const parts = named.filter((part) => part !== '').length
  return parts <= (service === 's3' ? 1 : 2)
}

function overlapsAny(action: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => patternsOverlap(pattern, action))
}
