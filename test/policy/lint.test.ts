import { expect, it } from 'vitest'
import { engineOf, starterFiles } from './fixture.ts'

const ASK = 'action == Mayfly::Action::"requestCredential"'
const messages = (text: string) =>
  engineOf(text)
    .lint()
    .map(({ message }) => message)

it('has nothing to say about the starter set', () => {
  expect(engineOf(...starterFiles().map(({ text }) => text)).lint()).toEqual([])
})

it.each([
  [
    'a forbid that can err',
    `@id("a") forbid(principal, action in [Mayfly::Action::"requestCredential",
       Mayfly::Action::"requestCredentialWithApproval"], resource)
     when { context.request.ttlSeconds * 2 > 600 };`,
    /is a forbid that can err/,
  ],
  [
    'a policy that never applies, as the validator sees it',
    `@id("a") permit(principal is Mayfly::Agent, ${ASK}, resource)
     when { resource.tenants.contains(principal.tenant) && resource is Mayfly::Tenant };`,
    /never applies: its conditions exclude each other/,
  ],
  [
    'a policy that wants one thing to be two',
    `@id("a") permit(principal is Mayfly::Agent, ${ASK}, resource)
     when { principal.tenant == Mayfly::Tenant::"a" && principal.tenant == Mayfly::Tenant::"b" };`,
    /principal\.tenant cannot be two things at once/,
  ],
  [
    'a level that there is not',
    `@id("a") forbid(principal, action == Mayfly::Action::"openTask", resource)
     when { context.risk.level == "high" };`,
    /compares context\.risk\.level with "high", which it never is: LOW, MEDIUM, HIGH/,
  ],
  [
    'an impact that there is not',
    `@id("a") permit(principal is Mayfly::Agent, ${ASK}, resource)
     when { resource.tenants.contains(principal.tenant) &&
            !context.request.impact.contains("delete") };`,
    /compares context\.request\.impact with "delete"/,
  ],
  [
    'a permit for every tenant',
    `@id("a") permit(principal is Mayfly::Agent, ${ASK}, resource)
     when { context.risk.level == "LOW" };`,
    /permits in every tenant/,
  ],
  [
    'a permit for acts and more in every tenant',
    `@id("a") permit(principal is Mayfly::Agent,
      action in [Mayfly::Action::"act", Mayfly::Action::"requestCredential"], resource)
     when { context.risk.level == "LOW" };`,
    /permits in every tenant/,
  ],
  [
    'a forbid that an approval lifts',
    `@id("a") forbid(principal, ${ASK}, resource) when { context.risk.level == "MEDIUM" };`,
    /an approval lifts it/,
  ],
  [
    'what rests on the agent’s own choice of words',
    `@id("a") permit(principal is Mayfly::Agent, ${ASK}, resource)
     when { resource.tenants.contains(principal.tenant) }
     unless { context.request.actions.contains("s3:DeleteObject") };`,
    /rests on the names of actions, which the agent chooses/,
  ],
  [
    'a policy without a name',
    `permit(principal is Mayfly::Agent, ${ASK}, resource)
     when { resource.tenants.contains(principal.tenant) };`,
    /has no @id/,
  ],
])('warns of %s', (_, text, message) => {
  expect(messages(text)).toEqual([expect.stringMatching(message)])
})
