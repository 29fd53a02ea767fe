import type { Command } from 'commander'
import type { Run } from './command.ts'
import { paged } from './options.ts'

const lists = () => import('./lists.ts')
const trouble = () => import('./trouble-lists.ts')

export function addInventoryCommands(program: Command, run: Run): void {
  paged(program.command('agents').description('configured identities').command('ls'))
    .description('list agents')
    .action((flags) => run(async (context) => (await lists()).listAgents(context, flags)))
  paged(program.command('entitlements').description('what may be asked for').command('ls'))
    .description('list entitlements')
    .action((flags) => run(async (context) => (await lists()).listEntitlements(context, flags)))
  paged(program.command('providers').description('where credentials come from').command('ls'))
    .description('list providers, and whether minting and ending works there')
    .action((flags) => run(async (context) => (await trouble()).listProviders(context, flags)))
}
